/** Services beside IoT and DynamoDB on the one port: a request belongs to the service that it is signed for. */

import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { isObject, type JsonObject, type JsonValue, parseJson } from '../engines/json-tree.ts';
import { AwsError, typeIn } from '../registry/aws-error.ts';
import type { Handler } from './operation.ts';

export interface SignedService {
  /** A request's body. */
  bytesMax: number;
  /** Whether this request needs no signature: a link that a person or a server follows. */
  isOpen?(request: IncomingMessage): boolean;
  /** @throws AwsError */
  handle(request: IncomingMessage, response: ServerResponse, body: Buffer): Promise<void>;
  refuse(response: ServerResponse, error: AwsError): void;
}

export function answerWith(
  response: ServerResponse,
  status: number,
  contentType: string,
  body: string | Buffer,
  headers: Record<string, string> = {},
): void {
  if (response.headersSent || response.destroyed) return;
  const bytes = Buffer.from(body);
  response.writeHead(status, {
    'content-type': contentType,
    'content-length': String(bytes.length),
    'x-amzn-requestid': randomUUID(),
    ...headers,
  });
  response.end(bytes);
}

/** @throws AwsError where the bytes are no JSON object */
export function parseJsonObject(body: Buffer): JsonObject {
  let document: JsonValue = {};
  try {
    if (body.length > 0) document = parseJson(body.toString('utf8'));
  } catch (error) {
    throw new AwsError(400, 'SerializationException', `The body is not JSON: ${String(error)}`);
  }
  if (!isObject(document))
    throw new AwsError(400, 'SerializationException', 'The body must be a JSON object');
  return document;
}

/** AWS's JSON protocol: the operation is in x-amz-target, input and output are the bodies. */
export function jsonService(options: {
  /** What stands before the operation's name, such as `AmazonSQS`. */
  target: string;
  version: '1.0' | '1.1';
  bytesMax: number;
  operations: ReadonlyMap<string, Handler>;
  /** The codes of errors in AWS's older Query protocol, where its clients go by them. */
  queryCodes?: Readonly<Record<string, string>>;
  /** What the service calls an input that does not fit. */
  invalidType: string;
}): SignedService {
  const contentType = `application/x-amz-json-${options.version}`;
  return {
    bytesMax: options.bytesMax,
    async handle(request, response, body) {
      const [target, name = ''] = String(request.headers['x-amz-target'] ?? '').split('.');
      const operation = target === options.target ? options.operations.get(name) : undefined;
      if (!operation) {
        throw new AwsError(
          400,
          'UnknownOperationException',
          `The local cloud does not have ${name || 'an operation without a name'} of ${options.target}`,
        );
      }
      const answer = await operation(parseJsonObject(body));
      answerWith(response, 200, contentType, JSON.stringify(answer));
    },
    refuse(response, error) {
      const type = typeIn(error, options.invalidType);
      const code = options.queryCodes?.[type];
      const body = JSON.stringify({ __type: type, message: error.message });
      answerWith(response, error.status < 500 ? 400 : error.status, contentType, body, {
        'x-amzn-errortype': type,
        ...(code !== undefined && { 'x-amzn-query-error': `${code};Sender` }),
      });
    },
  };
}
