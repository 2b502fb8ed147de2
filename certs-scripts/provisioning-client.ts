/**
 * A device's side of fleet provisioning, over MQTT with mutual TLS: AWS IoT and the local cloud alike
 * (AWS IoT developer guide, "Device provisioning MQTT API").
 */

import { connect, type MqttClient } from 'mqtt';
import * as z from 'zod';

export interface ProvisioningConnection {
  /** host:port */
  endpoint: string;
  clientId: string;
  /** PEM. */
  certificate: string;
  key: string;
  /** PEM; undefined: the system's authorities. */
  ca?: string | undefined;
}

export interface NewCertificate {
  certificateId: string;
  certificatePem: string;
  certificateOwnershipToken: string;
}

export interface ProvisioningClient {
  createFromCsr(csrPem: string): Promise<NewCertificate>;
  /** @returns the thing's name */
  provision(templateName: string, token: string, parameters: Record<string, string>): Promise<string>;
  close(): Promise<void>;
}

const connectMsMax = 30_000;
/** A hook may take 5 s, what it starts cold some more. */
const answerMsMax = 20_000;

/** Raised where the cloud refused; `code` is AWS's, such as `AccessDenied`. */
export class ProvisioningRefused extends Error {
  override readonly name = 'ProvisioningRefused';
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** Raised where no connection came about, or it went. */
export class ProvisioningConnectionError extends Error {
  override readonly name = 'ProvisioningConnectionError';
}

const created = z.object({
  certificateId: z.string().min(1),
  certificatePem: z.string().min(1),
  certificateOwnershipToken: z.string().min(1),
});
const provisioned = z.object({ thingName: z.string().min(1) });
const rejected = z.object({ statusCode: z.number(), errorCode: z.string(), errorMessage: z.string() });

/** @throws ProvisioningConnectionError that tells what to look at */
export async function openProvisioning(to: ProvisioningConnection): Promise<ProvisioningClient> {
  const client = await open(to);
  return {
    createFromCsr: async (csrPem) =>
      created.parse(
        await ask(client, '$aws/certificates/create-from-csr/json', { certificateSigningRequest: csrPem }),
      ),
    provision: async (templateName, token, parameters) => {
      const topic = `$aws/provisioning-templates/${templateName}/provision/json`;
      const answer = await ask(client, topic, { certificateOwnershipToken: token, parameters });
      return provisioned.parse(answer).thingName;
    },
    close: () => client.endAsync().then(() => undefined),
  };
}

/** Connects and goes again: shows that the certificate works. @throws ProvisioningConnectionError */
export async function tryConnection(to: ProvisioningConnection): Promise<void> {
  await (await open(to)).endAsync();
}

async function open({
  endpoint,
  clientId,
  certificate,
  key,
  ca,
}: ProvisioningConnection): Promise<MqttClient> {
  const colon = endpoint.lastIndexOf(':');
  const client = connect({
    protocol: 'mqtts',
    host: endpoint.slice(0, colon),
    port: Number(endpoint.slice(colon + 1)),
    clientId,
    cert: certificate,
    key,
    ...(ca === undefined ? {} : { ca }),
    clean: true,
    keepalive: 30,
    reconnectPeriod: 0,
    connectTimeout: connectMsMax,
  });
  // Errors after the connection end it: who waits for an answer hears of that by `close`.
  client.on('error', () => undefined);
  await new Promise<void>((resolve, reject) => {
    const fail = (why: string, cause?: Error) => {
      client.end(true);
      reject(
        new ProvisioningConnectionError(
          `${endpoint} as ${clientId}: ${why}; is the endpoint right, the certificate active there, with its policy, and the CA that of the endpoint?`,
          { cause },
        ),
      );
    };
    client.once('connect', () => resolve());
    client.once('error', (error) => fail(error.message, error));
    client.once('close', () => fail('the connection was closed before it was accepted'));
  });
  return client;
}

async function ask(client: MqttClient, topic: string, request: object): Promise<unknown> {
  const answers = [`${topic}/accepted`, `${topic}/rejected`];
  const granted = await client.subscribeAsync(answers, { qos: 1 });
  if (granted.some(({ qos }) => qos >= 128)) {
    throw new ProvisioningRefused(
      'AccessDenied',
      `the policy of this certificate does not let it use ${topic}`,
    );
  }
  const answer = new Promise<unknown>((resolve, reject) => {
    const done = () => {
      clearTimeout(timer);
      client.off('message', heard);
      client.off('close', closed);
    };
    const closed = () => {
      done();
      reject(new ProvisioningConnectionError(`the connection ended while ${topic} was waited for`));
    };
    const heard = (on: string, payload: Buffer) => {
      if (!answers.includes(on)) return;
      done();
      try {
        const body: unknown = JSON.parse(payload.toString());
        if (on.endsWith('/accepted')) return resolve(body);
        const { errorCode, errorMessage } = rejected.parse(body);
        reject(new ProvisioningRefused(errorCode, `${errorCode}: ${errorMessage}`));
      } catch (error) {
        reject(new Error(`${on}: an answer that can't be read`, { cause: error }));
      }
    };
    const timer = setTimeout(() => {
      done();
      reject(new ProvisioningConnectionError(`${topic}: no answer within ${answerMsMax / 1000} s`));
    }, answerMsMax);
    client.on('message', heard);
    client.on('close', closed);
  });
  answer.catch(() => undefined);
  // Not awaited: where the broker cuts the connection instead of acknowledging, this would never settle.
  client.publish(topic, JSON.stringify(request), { qos: 1 });
  return answer;
}
