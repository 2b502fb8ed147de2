/**
 * Fleet provisioning: a device that has only a claim certificate gets one of its own, and becomes a thing
 * (AWS IoT developer guide, "Provisioning by claim", "Device provisioning MQTT API").
 */

import type { Logger } from 'pino';
import * as z from 'zod';
import {
  certificateIdParameter,
  MalformedTemplate,
  type ProvisioningPlan,
  resolveTemplate,
  templateParameters,
} from '../engines/provisioning-template.ts';
import { accountId, arn, region } from '../registry/arns.ts';
import { AwsError } from '../registry/aws-error.ts';
import type { ProvisioningTemplateRecord } from '../registry/records.ts';
import { registerThing } from '../registry/register-thing.ts';
import type { Registry } from '../registry/registry.ts';
import { createOwnershipTokens } from './ownership-token.ts';
import { readPayload, writePayload } from './payload.ts';
import { type ProvisioningRequest, parseProvisioningTopic } from './topics.ts';

/** AWS: a token, and a certificate that no thing was registered with, last an hour; a hook may take 5 s. */
export const tokenSeconds = 3600;
const hookMsMax = 5_000;
/** Requests under way; more are refused. */
const requestsMax = 200;

/** Who asks: the connection's client id and the id of its certificate. */
export interface Asker {
  clientId: string;
  principalId: string;
}

export interface ProvisioningOptions {
  registry: Registry;
  /** Calls a Lambda function and waits for its answer. */
  invokeHook(functionArn: string, event: object): Promise<unknown>;
  /** Signs the ownership tokens. */
  secret: string;
  /** Sends to the connection that asked, and to nobody else. */
  answer(to: Asker, topic: string, payload: Buffer): void;
  nowMs: () => number;
  log: Logger;
}

export interface ProvisioningService {
  takes(topic: string): boolean;
  /** Answers on `<topic>/accepted` or `<topic>/rejected`. Never throws. */
  request(topic: string, payload: Uint8Array, from: Asker): Promise<void>;
}

class Rejected extends Error {
  readonly statusCode: number;
  readonly errorCode: string;
  constructor(statusCode: number, errorCode: string, message: string) {
    super(message);
    this.statusCode = statusCode;
    this.errorCode = errorCode;
  }
}

const fromCsr = z.object({ certificateSigningRequest: z.string().min(1) });
const provision = z.object({
  certificateOwnershipToken: z.string().min(1, 'Certificate ownership token cannot be empty.'),
  parameters: templateParameters,
});
const hookAnswer = z.object({
  allowProvisioning: z.boolean(),
  parameterOverrides: z.record(z.string(), z.string()).nullish(),
});

export function createProvisioning(options: ProvisioningOptions): ProvisioningService {
  const { registry, invokeHook, answer, nowMs, log } = options;
  const { certificates, templates } = registry;
  const tokens = createOwnershipTokens(options.secret);
  let underWay = 0;

  async function create(csrPem: string | undefined): Promise<object> {
    const expiresAt = nowMs() / 1000 + tokenSeconds;
    await certificates.forgetPending(nowMs() / 1000);
    const { record, privateKeyPem } = await certificates.createPending(csrPem, expiresAt);
    return {
      certificateId: record.certificateId,
      certificatePem: record.pem,
      ...(privateKeyPem === undefined ? {} : { privateKey: privateKeyPem }),
      certificateOwnershipToken: tokens.issue(record.certificateId, expiresAt),
    };
  }

  async function askHook(
    { templateName, hook }: ProvisioningTemplateRecord,
    certificateId: string,
    parameters: Record<string, string>,
    { clientId, principalId }: Asker,
  ): Promise<Record<string, string>> {
    if (!hook) return parameters;
    const event = {
      claimCertificateId: principalId,
      certificateId,
      certificatePem: certificates.get(certificateId).pem,
      templateArn: arn('provisioningtemplate', templateName),
      clientId,
      parameters,
    };
    let said: unknown;
    try {
      said = await withTimeout(invokeHook(hook.targetArn, event));
    } catch (error) {
      log.error({ err: error, templateName }, 'the pre-provisioning hook failed');
      throw new Rejected(500, 'InternalFailure', `The pre-provisioning hook of ${templateName} failed`);
    }
    const parsed = hookAnswer.safeParse(said);
    if (!parsed.success) {
      log.error({ templateName, fault: z.prettifyError(parsed.error) }, 'the hook gave no valid answer');
      throw new Rejected(500, 'InternalFailure', `The hook of ${templateName} gave no valid answer`);
    }
    if (!parsed.data.allowProvisioning) {
      throw new Rejected(403, 'AccessDenied', 'The pre-provisioning hook does not allow provisioning');
    }
    return { ...parameters, ...parsed.data.parameterOverrides };
  }

  async function registerByTemplate(
    templateName: string,
    { certificateOwnershipToken, parameters }: z.infer<typeof provision>,
    from: Asker,
  ): Promise<object> {
    const now = nowMs() / 1000;
    const certificateId = tokens.read(certificateOwnershipToken, now);
    if (certificateId === undefined || !certificates.find(certificateId)) {
      throw new Rejected(
        400,
        'InvalidCertificateOwnershipToken',
        'The certificate ownership token is not valid, or has expired.',
      );
    }
    const template = templates.get(templateName);
    if (!template.enabled || template.type !== 'FLEET_PROVISIONING') {
      throw new Rejected(403, 'AccessDenied', `The provisioning template ${templateName} is not enabled`);
    }
    const settled = await askHook(template, certificateId, parameters, from);
    let plan: ProvisioningPlan;
    try {
      plan = resolveTemplate(
        templates.current(templateName),
        new Map([...Object.entries(settled), [certificateIdParameter, certificateId]]),
        new Map([
          ['AWS::Region', region],
          ['AWS::AccountId', accountId],
        ]),
      );
    } catch (error) {
      if (error instanceof MalformedTemplate) throw new Rejected(400, 'InvalidParameters', error.message);
      throw error;
    }
    const source = plan.certificate?.from;
    if (!source || !('id' in source) || source.id !== certificateId) {
      throw new Rejected(
        400,
        'InvalidTemplate',
        `The template ${templateName} must have a certificate whose CertificateId is {"Ref":"${certificateIdParameter}"}`,
      );
    }
    const { thingName } = await registerThing(registry, plan);
    return {
      deviceConfiguration: plan.deviceConfiguration,
      ...(thingName === undefined ? {} : { thingName }),
    };
  }

  async function act(request: ProvisioningRequest, payload: Uint8Array, from: Asker): Promise<object> {
    let body: unknown;
    try {
      body = readPayload(request.format, payload);
    } catch (error) {
      throw new Rejected(400, 'InvalidPayload', `The payload is not ${request.format}: ${String(error)}`);
    }
    if (request.operation === 'create') return create(undefined);
    if (request.operation === 'create-from-csr')
      return create(parsed(fromCsr, body).certificateSigningRequest);
    return registerByTemplate(request.templateName, parsed(provision, body), from);
  }

  return {
    takes: (topic) => parseProvisioningTopic(topic) !== undefined,
    async request(topic, payload, from) {
      const request = parseProvisioningTopic(topic);
      if (!request) return;
      underWay++;
      try {
        if (underWay > requestsMax) throw new Rejected(429, 'ThrottlingException', 'Rate exceeded');
        const result = await act(request, payload, from);
        answer(from, `${topic}/accepted`, writePayload(request.format, result));
      } catch (error) {
        const rejected = rejectionOf(error);
        const log_ = rejected.statusCode >= 500 ? 'error' : 'warn';
        log[log_]({ ...from, topic, err: error, code: rejected.errorCode }, 'provisioning was refused');
        const { statusCode, errorCode, message } = rejected;
        const body = { statusCode, errorCode, errorMessage: message };
        answer(from, `${topic}/rejected`, writePayload(request.format, body));
      } finally {
        underWay--;
      }
    },
  };
}

function parsed<S extends z.ZodType>(schema: S, body: unknown): z.output<S> {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const isToken = issue?.path[0] === 'certificateOwnershipToken';
  throw new Rejected(
    400,
    isToken ? 'InvalidCertificateOwnershipToken' : 'InvalidPayload',
    `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not valid'}`,
  );
}

function rejectionOf(error: unknown): Rejected {
  if (error instanceof Rejected) return error;
  if (error instanceof AwsError) {
    return new Rejected(error.status, error.type.replace(/Exception$/, ''), error.message);
  }
  return new Rejected(500, 'InternalFailure', 'The local cloud failed: see its log.');
}

async function withTimeout(work: Promise<unknown>): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${hookMsMax} ms`)), hookMsMax);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
