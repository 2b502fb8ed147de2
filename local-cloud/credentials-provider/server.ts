/**
 * The AWS IoT credentials provider: a device's certificate, over mutual TLS, for short-lived credentials of a role
 * (AWS IoT developer guide, "Authorizing direct calls to AWS services using AWS IoT Core credential provider").
 */

import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Logger } from 'pino';
import { evaluate } from '../engines/policy.ts';
import { arn } from '../registry/arns.ts';
import { certificateIdOf } from '../registry/certificate-pem.ts';
import type { Registry } from '../registry/registry.ts';
import type { KeyAndCertificate } from '../tls/issuer.ts';
import { mutualTls } from '../tls/mutual.ts';
import type { Sessions } from './sessions.ts';

const requestMsMax = 10_000;
const pathPattern = /^\/role-aliases\/([^/?]+)\/credentials$/;

export interface CredentialsProviderOptions {
  server: KeyAndCertificate;
  host: string;
  /** 0 is a free port. */
  port: number;
  registry: Registry;
  sessions: Sessions;
  nowMs: () => number;
  log: Logger;
}

export interface CredentialsProvider {
  port: number;
  close(): Promise<void>;
}

class Refused extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export async function startCredentialsProvider(
  options: CredentialsProviderOptions,
): Promise<CredentialsProvider> {
  const { registry, sessions, nowMs, log } = options;

  function certificateOf(request: IncomingMessage): string {
    const certificate = (request.socket as TLSSocket).getPeerX509Certificate();
    if (!certificate) throw new Refused(403, 'Access Denied: no client certificate');
    const certificateId = certificateIdOf(certificate.raw);
    const record = registry.certificates.find(certificateId);
    const now = nowMs() / 1000;
    if (record?.status !== 'ACTIVE' || now < record.notBefore || now >= record.notAfter) {
      throw new Refused(403, `Access Denied: the certificate is ${record?.status ?? 'not registered'}`);
    }
    return certificateId;
  }

  function credentialsFor(request: IncomingMessage): object {
    const alias = pathPattern.exec((request.url ?? '').split('?')[0] ?? '')?.[1];
    if (request.method !== 'GET' || alias === undefined) {
      throw new Refused(404, 'Ask with GET /role-aliases/<alias>/credentials');
    }
    const certificateId = certificateOf(request);
    const header = request.headers['x-amzn-iot-thingname'];
    const thingName = typeof header === 'string' ? header : '';
    if (thingName !== '' && !registry.things.isAttached(thingName, certificateId)) {
      throw new Refused(403, 'Invalid thing name passed');
    }
    const name = decodeURIComponent(alias);
    const { statements, variables } = registry.authorityOf(certificateId, thingName);
    const action = 'iot:AssumeRoleWithCertificate';
    const decision = evaluate(statements, action, arn('rolealias', name), variables);
    if (decision !== 'allowed')
      throw new Refused(403, `Access Denied: no policy allows ${action} on ${name}`);
    const record = registry.roleAliases.find(name);
    if (!record) throw new Refused(404, 'Role alias does not exist');
    const issued = sessions.issue({
      roleAlias: name,
      roleArn: record.roleArn,
      certificateId,
      expiresAt: Math.floor(nowMs() / 1000) + record.credentialDurationSeconds,
    });
    log.debug(
      { certificateId, thingName, roleAlias: name, accessKeyId: issued.accessKeyId },
      'credentials issued',
    );
    const { accessKeyId, secretAccessKey, sessionToken, expiresAt } = issued;
    const expiration = `${new Date(expiresAt * 1000).toISOString().slice(0, -5)}Z`;
    return { credentials: { accessKeyId, secretAccessKey, sessionToken, expiration } };
  }

  function answer(request: IncomingMessage, response: ServerResponse): void {
    request.resume();
    let status = 200;
    let body: object;
    try {
      body = credentialsFor(request);
    } catch (error) {
      status = error instanceof Refused ? error.status : error instanceof URIError ? 400 : 500;
      const message =
        status === 500 ? 'Internal failure: see the log of the local cloud' : (error as Error).message;
      body = { message };
      const { url } = request;
      if (status === 500) log.error({ err: error, url }, 'a request for credentials failed');
      else
        log.warn(
          { act: 'credentials', url, ipAddress: request.socket.remoteAddress, why: message },
          'refused',
        );
    }
    const text = JSON.stringify(body);
    response.writeHead(status, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(text),
      // By this clock, which may not be the machine's: who asks sees how far its own is off.
      date: new Date(nowMs()).toUTCString(),
    });
    response.end(text);
  }

  const server = createServer(
    {
      ...mutualTls(options.server),
      requestTimeout: requestMsMax,
    },
    answer,
  );
  server.on('tlsClientError', (error) => log.debug({ why: error.message }, 'a TLS connection failed'));
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
