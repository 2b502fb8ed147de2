/** The local cloud without Lambda and DynamoDB: store, registry, shadows, broker and the HTTPS API. */

import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import type { Logger } from 'pino';
import { unixPathBytesMax } from '../protocol/unix-socket.ts';
import { type Broker, createBroker } from './broker/broker.ts';
import { Buckets, shadowRequestsPerSecond } from './broker/rates.ts';
import { createWebSockets } from './broker/websocket.ts';
import { createClockWatch } from './clock-watch.ts';
import { type CredentialsProvider, startCredentialsProvider } from './credentials-provider/server.ts';
import { createSessions } from './credentials-provider/sessions.ts';
import { certificateOperations } from './https/certificates-api.ts';
import { dataOperations } from './https/data-api.ts';
import { policyOperations } from './https/policies-api.ts';
import { createPresignedVerifier } from './https/presigned.ts';
import { provisioningOperations } from './https/provisioning-api.ts';
import { roleAliasOperations } from './https/role-aliases-api.ts';
import type { RoleStatement } from './https/role-permissions.ts';
import {
  createRuleBook,
  endpointOperations,
  type RuleBook,
  type RuleLoader,
  ruleOperations,
} from './https/rules-api.ts';
import { type DynamoHandler, startHttps } from './https/server.ts';
import type { SignedService } from './https/signed-service.ts';
import { createVerifier } from './https/sigv4.ts';
import { tagOperations } from './https/tags-api.ts';
import { testAuthorizationOperation } from './https/test-authorization.ts';
import { thingGroupOperations } from './https/thing-groups-api.ts';
import { thingTypeOperations } from './https/thing-types-api.ts';
import { thingOperations } from './https/things-api.ts';
import { createProvisioning, type ProvisioningService } from './provisioning/service.ts';
import { region } from './registry/arns.ts';
import { createRegistry, type Registry } from './registry/registry.ts';
import { createShadowService, type ShadowService } from './shadow-service.ts';
import type { Disk } from './store/disk.ts';
import { openStore, type Store } from './store/store.ts';
import { type CloudCredentials, openCredentials } from './tls/credentials.ts';

const forgetShadowsEveryMs = 3600 * 1000;
const lookAtClockEveryMs = 5_000;
const noteTimeEveryMs = 60_000;
const socketName = 'https.sock';

export interface CoreOptions {
  dataDir: string;
  /** The folder's, which then stays open after `close`; left out: opened here. */
  disk?: Disk;
  /** What to listen on; 127.0.0.1 when left out. */
  host?: string;
  /** 0 is a free port. */
  mqttPort: number;
  httpsPort: number;
  /** The HTTPS port's services without TLS, on loopback alone; left out: not served. */
  httpPort?: number | undefined;
  log: Logger;
  /** AWS: 30 to 1,200. */
  keepAliveSeconds?: { min: number; max: number };
  nowMs?: () => number;
  /** Of the credentials provider; 0 is a free port. Left out: a free one. */
  credentialsPort?: number;
  /** By role alias: what its short-lived credentials may do. */
  roleStatements?: ReadonlyMap<string, readonly RoleStatement[]>;
  /** Calls a Lambda function for fleet provisioning's hook; left out: there are no functions. */
  invokeFunction?: (functionArn: string, event: object) => Promise<unknown>;
  /** Whether AWS's rates hold, for clients of the broker and for shadows; off when left out. */
  hasRates?: boolean;
}

/** What a client must know to use the cloud. */
export interface Ready {
  ready: true;
  /** host:port */
  mqtt: string;
  https: string;
  /** The same without TLS, where it is served. */
  http?: string;
  /** Unix socket of the same, absolute, for this user alone; where its path is not too long for one. */
  socket?: string;
  /** host:port of the credentials provider. */
  credentialProvider: string;
  /** Absolute path of the CA's certificate. */
  ca: string;
  region: string;
  accessKeyId: string;
  secretAccessKey: string;
}

export interface Core {
  store: Store;
  registry: Registry;
  shadows: ShadowService;
  broker: Broker;
  ruleBook: RuleBook;
  /** Serves HTTPS, which functions need before the first message may come. */
  listenHttps(
    dynamo: DynamoHandler,
    services?: ReadonlyMap<string, SignedService>,
  ): Promise<Omit<Ready, 'ready' | 'mqtt'>>;
  /** What SNS signs its messages with. */
  snsSigner: CloudCredentials['snsSigner'];
  /** `https://host:port`, once it is served. */
  httpsAddress(): string;
  /** Serves MQTT. @returns host:port */
  listenMqtt(): Promise<string>;
  close(): Promise<void>;
}

export class PortTaken extends Error {
  override name = 'PortTaken';
}

/** Says which port and what to do, where Node says EADDRINUSE. */
async function bind<T>(
  what: string,
  option: string,
  host: string,
  port: number,
  listen: () => Promise<T>,
): Promise<T> {
  try {
    return await listen();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code !== 'EADDRINUSE' && code !== 'EACCES' && code !== 'EADDRNOTAVAIL') throw error;
    const why = {
      EADDRINUSE: 'is taken by another process',
      EACCES: 'may not be used by this user',
      EADDRNOTAVAIL: 'is not on this machine',
    }[code];
    throw new PortTaken(`${what}: ${host}:${port} ${why}. Choose another with ${option}.`, { cause: error });
  }
}

async function noFunctions(functionArn: string): Promise<never> {
  throw new Error(`there is no Lambda here to call ${functionArn}`);
}

/** @returns undefined where the folder's path leaves no room for one */
function socketIn(dataDir: string): string | undefined {
  const path = resolve(dataDir, socketName);
  return Buffer.byteLength(path) <= unixPathBytesMax ? path : undefined;
}

/** @param createRules makes the rules engine over the broker */
export async function openCore(
  options: CoreOptions,
  createRules: (parts: {
    broker: Broker;
    shadows: ShadowService;
    store: Store;
    registry: Registry;
  }) => RuleLoader,
): Promise<Core> {
  const { dataDir, log, mqttPort, httpsPort } = options;
  const host = options.host ?? '127.0.0.1';
  const nowMs = options.nowMs ?? Date.now;
  const isLoopback = ['127.0.0.1', '::1', 'localhost'].includes(host);
  const isAny = ['0.0.0.0', '::'].includes(host);
  const publicHost = isLoopback || isAny ? 'localhost' : host;

  const store = await openStore(options.disk ?? dataDir);
  const credentials = await openCredentials(join(dataDir, 'credentials'), [
    publicHost,
    ...(isAny ? [hostname()] : []),
  ]);
  const registry = createRegistry(store, credentials.issuer);
  const shadows = createShadowService(
    store,
    (topic, payload, hops) => broker.announce(topic, payload, hops),
    nowMs,
    (error, topic) => log.error({ err: error, topic }, 'a shadow could not be stored'),
    options.hasRates ? new Buckets(shadowRequestsPerSecond) : undefined,
  );
  const broker: Broker = createBroker({
    store,
    registry,
    shadows: () => shadows,
    provisioning: () => provisioning,
    server: credentials.server,
    log,
    host,
    port: mqttPort,
    nowMs,
    hasRates: options.hasRates === true,
    ...(options.keepAliveSeconds ? { keepAliveSeconds: options.keepAliveSeconds } : {}),
  });
  const provisioning: ProvisioningService = createProvisioning({
    registry,
    invokeHook: options.invokeFunction ?? noFunctions,
    secret: credentials.secretAccessKey,
    answer: (asker, topic, payload) => broker.answerTo(asker, topic, payload),
    nowMs,
    log,
  });
  const ruleBook = createRuleBook(store, createRules({ broker, shadows, store, registry }));
  const clock = createClockWatch(
    { wallMs: nowMs, monotonicMs: () => performance.now(), log },
    store.lastSeenMs(),
  );
  const noteTime = () => {
    store
      .noteSeen(nowMs())
      .catch((error: unknown) => log.error({ err: error }, 'the time of this use could not be noted'));
  };
  noteTime();
  const timers = [
    setInterval(() => clock.look(), lookAtClockEveryMs),
    setInterval(noteTime, noteTimeEveryMs),
    setInterval(() => {
      registry.certificates
        .forgetPending(nowMs() / 1000)
        .catch((error: unknown) =>
          log.error({ err: error }, 'certificates that nobody took could not be dropped'),
        );
      shadows
        .forgetOld()
        .catch((error: unknown) => log.error({ err: error }, 'old shadows could not be dropped'));
    }, forgetShadowsEveryMs),
  ];
  for (const timer of timers) timer.unref();

  const { accessKeyId, secretAccessKey } = credentials;
  const socket = socketIn(dataDir);
  let https: Awaited<ReturnType<typeof startHttps>> | undefined;
  let httpsAddress = '';
  const sessions = createSessions(secretAccessKey);
  let credentialsProvider: CredentialsProvider | undefined;
  let credentialsAddress = '';

  return {
    store,
    registry,
    shadows,
    broker,
    ruleBook,
    snsSigner: credentials.snsSigner,
    httpsAddress: () => `https://${httpsAddress}`,
    async listenHttps(dynamo, services = new Map()) {
      const credentialsPort = options.credentialsPort ?? 0;
      credentialsProvider = await bind(
        'The credentials provider',
        '--credentials-port',
        host,
        credentialsPort,
        () =>
          startCredentialsProvider({
            server: credentials.server,
            host,
            port: credentialsPort,
            registry,
            sessions,
            nowMs,
            log,
          }),
      );
      credentialsAddress = `${publicHost}:${credentialsProvider.port}`;
      https = await bind('HTTPS', '--https-port', host, httpsPort, () =>
        startHttps({
          server: credentials.server,
          host,
          port: httpsPort,
          plainPort: options.httpPort,
          socketPath: socket,
          verify: createVerifier({ accessKeyId, secretAccessKey }, Date.now, sessions),
          roleStatements: options.roleStatements ?? new Map(),
          control: new Map([
            ...thingOperations(registry),
            ...thingTypeOperations(registry),
            ...thingGroupOperations(registry),
            ...certificateOperations(registry),
            ...policyOperations(registry),
            testAuthorizationOperation(registry),
            ...roleAliasOperations(registry),
            ...tagOperations(registry.tags),
            ...provisioningOperations(registry),
            ...ruleOperations(store, ruleBook, registry.tags),
            ...endpointOperations({ data: () => httpsAddress, credentials: () => credentialsAddress }),
          ]),
          data: dataOperations(store, shadows, () => broker, nowMs),
          dynamo,
          services,
          upgrade: createWebSockets({
            broker,
            check: createPresignedVerifier(
              (key) => (key === accessKeyId ? secretAccessKey : undefined),
              Date.now,
            ),
            refused: ({ url }, why) => log.warn({ act: 'connect', url: url?.split('?')[0], why }, 'refused'),
          }),
          log,
        }),
      );
      httpsAddress = `${publicHost}:${https.port}`;
      return {
        https: `https://${httpsAddress}`,
        ...(https.plainPort === undefined ? {} : { http: `http://localhost:${https.plainPort}` }),
        ...(socket === undefined ? {} : { socket }),
        credentialProvider: credentialsAddress,
        ca: credentials.caPath,
        region,
        accessKeyId,
        secretAccessKey,
      };
    },
    async listenMqtt() {
      const port = await bind('MQTT', '--mqtt-port', host, mqttPort, () => broker.listen());
      return `${publicHost}:${port}`;
    },
    async close() {
      for (const timer of timers) clearInterval(timer);
      await broker.close();
      await credentialsProvider?.close();
      await https?.close();
      await store.close();
    },
  };
}
