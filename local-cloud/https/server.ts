/** One HTTPS port for iot, iot-data and DynamoDB: signature first, then the operation. */

import { randomUUID } from 'node:crypto';
import { chmodSync, rmSync } from 'node:fs';
import { createServer as createPlainServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo, ListenOptions, Server, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import { isObject, type JsonObject, type JsonValue, parseJson } from '../engines/json-tree.ts';
import { AwsError, invalidRequest, notImplemented } from '../registry/aws-error.ts';
import { remembering } from '../remembering.ts';
import type { KeyAndCertificate } from '../tls/issuer.ts';
import { type Authorization, parseAuthorization } from './authorization.ts';
import type { DataHandler } from './data-request.ts';
import type { Handler } from './operation.ts';
import { dynamoRefusal, type RoleStatement } from './role-permissions.ts';
import { findRoute } from './router.ts';
import type { SignedService } from './signed-service.ts';
import type { VerifyRequest } from './sigv4.ts';

/** DynamoDB takes 16 MB a request; nothing of IoT needs more than 1 MB. */
const dynamoBytesMax = 16 * 1024 * 1024;
const iotBytesMax = 1024 * 1024;
const requestMsMax = 30_000;

export type DynamoHandler = (
  request: IncomingMessage,
  response: ServerResponse,
  body: Buffer,
) => Promise<void>;

export interface HttpsOptions {
  server: KeyAndCertificate;
  host: string;
  port: number;
  /** The same without TLS, on loopback alone, for tools that can't be told of a CA; left out: not served. */
  plainPort?: number | undefined;
  /** Unix socket where the same is served without TLS, to this user alone; what lies there is a former cloud's. Left out: not served. */
  socketPath?: string | undefined;
  verify: VerifyRequest;
  control: ReadonlyMap<string, Handler>;
  data: ReadonlyMap<string, DataHandler>;
  dynamo: DynamoHandler;
  /** Of the other services, by the name that requests are signed for. */
  services: ReadonlyMap<string, SignedService>;
  /** What asks to become a WebSocket. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** By role alias: what its short-lived credentials may do. */
  roleStatements: ReadonlyMap<string, readonly RoleStatement[]>;
  log: Logger;
}

export interface HttpsServer {
  port: number;
  /** Where HTTP is served. */
  plainPort?: number;
  close(): Promise<void>;
}

class TooLarge extends Error {}
class ClientGone extends Error {}

const noBytes = Buffer.alloc(0);

/** By events: an iterator costs more than a small request's whole answer. */
function readBody(request: IncomingMessage, bytesMax: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > bytesMax) {
        request.pause();
        reject(new TooLarge(`The request has more than ${bytesMax} bytes`));
      } else chunks.push(chunk);
    });
    request.on('end', () => resolve(chunks.length > 1 ? Buffer.concat(chunks) : (chunks[0] ?? noBytes)));
    request.on('error', reject);
    request.on('close', () => {
      if (!request.complete) reject(new ClientGone('the client went away'));
    });
  });
}

/** @param body best a text: it goes out in one piece with the headers */
function send(
  response: ServerResponse,
  status: number,
  headers: Record<string, string>,
  body: Buffer | string,
): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, {
    ...headers,
    'content-length': Buffer.byteLength(body),
    'x-amzn-requestid': randomUUID(),
  });
  response.end(body);
}

function sendError(response: ServerResponse, error: AwsError, forDynamo: boolean): void {
  if (forDynamo) {
    // DynamoDB answers faults of the client with 400, and names them in the body.
    const body = { __type: `com.amazon.coral.service#${error.type}`, message: error.message };
    const status = error.status < 500 ? 400 : error.status;
    send(response, status, { 'content-type': 'application/x-amz-json-1.0' }, JSON.stringify(body));
    return;
  }
  const body = { message: error.message, traceId: randomUUID(), ...error.members };
  send(
    response,
    error.status,
    { 'content-type': 'application/json', 'x-amzn-errortype': error.type },
    JSON.stringify(body),
  );
}

/** Operations whose body is one member of their input, not the input. */
const bodyMembers = new Map([
  ['CreateTopicRule', 'topicRulePayload'],
  ['ReplaceTopicRule', 'topicRulePayload'],
]);

function inputOf(
  operation: string,
  request: IncomingMessage,
  labels: Readonly<Record<string, string>>,
  query: URLSearchParams,
  body: Buffer,
): JsonObject {
  let document: JsonValue = {};
  if (body.length > 0) {
    try {
      document = parseJson(body.toString('utf8'));
    } catch (error) {
      throw new AwsError(400, 'SerializationException', `The body is not JSON: ${String(error)}`);
    }
  }
  if (!isObject(document))
    throw new AwsError(400, 'SerializationException', 'The body must be a JSON object');
  const principal = request.headers['x-amzn-principal'];
  const tagging = request.headers['x-amz-tagging'];
  const member = bodyMembers.get(operation);
  return {
    ...(member === undefined ? document : { [member]: document }),
    ...Object.fromEntries(query),
    ...labels,
    ...(typeof principal === 'string' ? { principal } : {}),
    ...(typeof tagging === 'string' ? { tags: tagging } : {}),
  };
}

function jsonOrNull(body: Buffer): JsonValue {
  try {
    return JSON.parse(body.toString('utf8')) as JsonValue;
  } catch {
    return null;
  }
}

const targetsKeptMax = 1000;
/** What a method with a URL asks for. */
const targetOf = remembering(targetsKeptMax, (methodAndUrl) => {
  const at = methodAndUrl.indexOf(' ');
  const { pathname, searchParams } = new URL(methodAndUrl.slice(at + 1), 'https://localhost');
  return { pathname, query: searchParams, route: findRoute(methodAndUrl.slice(0, at), pathname) };
});

export async function startHttps(options: HttpsOptions): Promise<HttpsServer> {
  const { control, data, dynamo, services, verify, log } = options;

  function serviceOf(
    request: IncomingMessage,
    authorization: Authorization | undefined,
  ): SignedService | undefined {
    if (authorization !== undefined) return services.get(authorization.scope.service);
    return [...services.values()].find((service) => service.isOpen?.(request));
  }

  async function iot(request: IncomingMessage, response: ServerResponse, body: Buffer): Promise<void> {
    const { method = 'GET', url = '/' } = request;
    const { route, query, pathname } = targetOf(`${method} ${url}`);
    if (!route) throw notImplemented(`${method} ${pathname}`);
    const { operation, labels } = route;
    const handler = route.service === 'iotData' ? data.get(operation) : undefined;
    if (handler) {
      const { headers, socket } = request;
      const address = socket.remoteAddress === undefined ? {} : { ipAddress: socket.remoteAddress };
      const answer = await handler({ labels, query, headers, body, ...address });
      const text = typeof answer === 'string' ? answer : JSON.stringify(answer);
      return send(response, 200, { 'content-type': 'application/json' }, text);
    }
    const controlHandler = route.service === 'iot' ? control.get(operation) : undefined;
    if (!controlHandler) throw notImplemented(operation);
    const answer = await controlHandler(inputOf(operation, request, labels, query, body));
    send(response, 200, { 'content-type': 'application/json' }, JSON.stringify(answer));
  }

  /** @throws AwsError where the role may not do this */
  function authorize(
    { roleAlias }: { roleAlias: string },
    dynamoTarget: string | undefined,
    body: Buffer,
  ): void {
    const statements = options.roleStatements.get(roleAlias);
    const refusal =
      statements === undefined
        ? 'the local cloud knows permissions of the roles in cloud-rules/role-aliases alone'
        : dynamoTarget === undefined
          ? 'it is for DynamoDB alone'
          : dynamoRefusal(statements, dynamoTarget.split('.')[1] ?? '', jsonOrNull(body));
    if (refusal === undefined) return;
    throw new AwsError(
      403,
      'AccessDeniedException',
      `The role of ${roleAlias} is not authorized: ${refusal}`,
    );
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const target = request.headers['x-amz-target'];
    const forDynamo = typeof target === 'string' && target.startsWith('DynamoDB_');
    const authorization = parseAuthorization(request.headers.authorization);
    const service = serviceOf(request, authorization);
    const refuse = (error: AwsError) =>
      service ? service.refuse(response, error) : sendError(response, error, forDynamo);
    try {
      const body = await readBody(request, service?.bytesMax ?? (forDynamo ? dynamoBytesMax : iotBytesMax));
      if (!service?.isOpen?.(request)) {
        const caller = verify(request, authorization, body);
        if (caller.kind === 'role') authorize(caller, service || !forDynamo ? undefined : target, body);
      }
      if (service) await service.handle(request, response, body);
      else await (forDynamo ? dynamo(request, response, body) : iot(request, response, body));
    } catch (error) {
      if (error instanceof ClientGone) return log.debug({ url: request.url, why: error.message }, 'gone');
      if (error instanceof AwsError) {
        log.debug(
          { method: request.method, url: request.url, type: error.type, why: error.message },
          'refused',
        );
        if (error.status === 403) log.warn({ act: request.url, why: error.message }, 'refused');
        return refuse(error);
      }
      if (error instanceof TooLarge) {
        refuse(new AwsError(413, 'RequestEntityTooLargeException', error.message));
        request.destroy();
        return;
      }
      if (error instanceof URIError || (error instanceof TypeError && 'code' in error)) {
        return refuse(invalidRequest(`The URL is not valid: ${request.url}`));
      }
      log.error({ err: error, method: request.method, url: request.url }, 'a request failed');
      refuse(new AwsError(500, 'InternalFailureException', 'The local cloud failed: see its log.'));
    }
  }

  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    void answer(request, response);
  };
  const serverOptions = {
    requestTimeout: requestMsMax,
    // A client that keeps its connection must not meet one that we just closed.
    keepAliveTimeout: 0,
    noDelay: true,
  };
  const server = createServer(
    {
      ...serverOptions,
      key: options.server.privateKeyPem,
      cert: options.server.certificatePem,
      minVersion: 'TLSv1.2',
    },
    listener,
  );
  server.on('tlsClientError', (error) => log.debug({ why: error.message }, 'a TLS connection failed'));
  const served: { close(): Promise<void> }[] = [];
  const serve = async (one: Server, at: ListenOptions): Promise<void> => {
    one.on('upgrade', options.upgrade);
    served.push(await listenOn(one, at));
  };
  const portOf = (one: Server) => (one.address() as AddressInfo).port;
  const close = async () => {
    await Promise.all(served.map((one) => one.close()));
  };
  try {
    const { host, socketPath } = options;
    await serve(server, { port: options.port, host });
    if (socketPath !== undefined) {
      rmSync(socketPath, { force: true });
      await serve(createPlainServer(serverOptions, listener), { path: socketPath });
      chmodSync(socketPath, 0o600);
    }
    if (options.plainPort === undefined) return { port: portOf(server), close };
    const plain = createPlainServer(serverOptions, listener);
    await serve(plain, { port: options.plainPort, host: '127.0.0.1' });
    return { port: portOf(server), plainPort: portOf(plain), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** @throws what `listen` meets, EADDRINUSE for one */
async function listenOn(server: Server, at: ListenOptions): Promise<{ close(): Promise<void> }> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(at, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
  return {
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
