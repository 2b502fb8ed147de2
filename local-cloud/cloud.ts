/** The whole local cloud: AWS IoT's part, DynamoDB, the rules engine and the functions, started and ended together. */

import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Logger } from 'pino';
import manifestBuiltIn from '../lambdas/manifest.json' with { type: 'json' };
import { fleetTableName, fleetTablePartitionKey, fleetTableSortKey } from '../protocol/fleet-table.ts';
import { type LambdaManifest, parseLambdaManifest } from '../protocol/manifest.ts';
import { signTableName, signTablePartitionKey } from '../protocol/sign-record.ts';
import { readCloudRules } from './bundled-rules.ts';
import { type CoreOptions, openCore, type Ready } from './core.ts';
import { startAdmin } from './data-folder/admin.ts';
import { storeFaults } from './data-folder/store-faults.ts';
import { openDynamo } from './dynamodb/server.ts';
import { accountId } from './registry/arns.ts';
import { createRulesEngine, type RulesEngine } from './rules/engine.ts';
import { openRulesInbox } from './rules/inbox.ts';
import { publishOptions, sqlProperties } from './rules/mqtt-properties.ts';
import { registryData } from './rules/registry-data.ts';
import { openServices, type Services } from './services.ts';
import { openFolder } from './store/folder.ts';
import { credentialFaults } from './tls/credentials.ts';

export interface CloudOptions extends CoreOptions {
  /** A `cloud-rules` folder; left out: the rules that were built in. */
  rulesDir?: string;
  /** Folder of `<name>/index.cjs` and `<name>.zip`. */
  lambdasDir: string;
  /** `lambdas/manifest.json`; left out: the one that was built in. */
  manifestFile?: string;
  /** `lambda-host.js`. */
  hostPath: string;
}

export interface Cloud {
  ready: Ready;
  stop(): Promise<void>;
}

function readManifest(file: string | undefined): LambdaManifest {
  if (file === undefined) return parseLambdaManifest(manifestBuiltIn);
  if (!existsSync(file)) throw new Error(`There is no file ${file} (--manifest)`);
  return parseLambdaManifest(JSON.parse(readFileSync(file, 'utf8')));
}

/** What a function of AWS Lambda would find in its environment, with the endpoints of this cloud. */
function environmentOf(ready: Omit<Ready, 'ready' | 'mqtt'>): Record<string, string> {
  return {
    AWS_REGION: ready.region,
    AWS_ACCESS_KEY_ID: ready.accessKeyId,
    AWS_SECRET_ACCESS_KEY: ready.secretAccessKey,
    AWS_ENDPOINT_URL: ready.https,
    AWS_ENDPOINT_URL_DYNAMODB: ready.https,
    AWS_ENDPOINT_URL_IOT: ready.https,
    AWS_ENDPOINT_URL_IOT_DATA_PLANE: ready.https,
  };
}

/** Says it once a time, for each request that is refused says so, too. */
function diskRefused(dataDir: string, log: Logger): (error: unknown) => void {
  return (error) =>
    log.error(
      { err: error, dataDir },
      'the disk refuses writes: is it full? What was acknowledged is safe; nothing more is until there is room, then the cloud goes on by itself',
    );
}

/**
 * @throws PortTaken, StoreError, and errors that name the file at fault. What was started by then is ended.
 */
export async function startCloud(options: CloudOptions): Promise<Cloud> {
  const { log } = options;
  const dataDir = resolve(options.dataDir);
  makeFolder(dataDir);
  const rules = readCloudRules(options.rulesDir);
  const manifest = readManifest(options.manifestFile);
  /** Ended in the reverse order. */
  const started: (() => Promise<void>)[] = [];
  const stop = async () => {
    for (const end of started.splice(0).reverse()) await end();
  };

  try {
    for (const { place, what } of await storeFaults(dataDir, false, true)) {
      log.error(
        { place, what },
        'the store is damaged there, and what follows is dropped now. If no power cut did that, restore a backup: more may be damaged (beam cloud check)',
      );
    }
    const disk = await openFolder(dataDir, { onFailure: diskRefused(dataDir, log) });
    started.push(() => disk.close());
    const dynamo = await openDynamo(disk, {
      tables: [
        { name: fleetTableName, partitionKey: fleetTablePartitionKey, sortKey: fleetTableSortKey },
        { name: signTableName, partitionKey: signTablePartitionKey },
      ],
      log,
    });
    started.push(() => dynamo.close());

    let services: Services | undefined;
    let engine: RulesEngine | undefined;
    const opened = () => {
      if (!services) throw new Error('The local cloud is starting');
      return services;
    };
    const roleStatements = new Map(
      rules.roleAliases.map(({ roleAlias, statements }) => [roleAlias, statements]),
    );
    const invokeFunction: CoreOptions['invokeFunction'] = async (functionArn, event) =>
      opened().invokeFunction(functionArn, event);
    const core = await openCore(
      { ...options, dataDir, disk, invokeFunction, roleStatements },
      ({ broker, shadows, store, registry }) => {
        const inbox = openRulesInbox(store, (error) =>
          log.error(
            { err: error },
            'a message that rules are done with could not be taken off the disk: they will act on it again',
          ),
        );
        const made = createRulesEngine({
          inbox,
          executors: {
            republish: ({ topic, payload, qos, headers = {} }, _, hops) =>
              broker.publish(topic, payload, { qos, meta: { hops }, ...publishOptions(headers) }),
            lambda: (...call) => opened().executors.lambda(...call),
            dynamoDBv2: (...call) => opened().executors.dynamoDBv2(...call),
            sns: (...call) => opened().executors.sns(...call),
            sqs: (...call) => opened().executors.sqs(...call),
          },
          services: {
            getThingShadow: (thing, shadow) =>
              shadows.read(shadow === undefined ? { thing } : { thing, shadow }),
            getRegistryData: (api, thing) => registryData(registry, api, thing),
            answer: (...asked) => opened().answer(...asked),
          },
          accountId,
          log,
        });
        broker.setRules({
          take: (topic, payload, { properties, ...origin }, isAcknowledged) =>
            made.take(
              topic,
              payload,
              properties ? { ...origin, properties: sqlProperties(properties) } : origin,
              isAcknowledged,
            ),
        });
        engine = made;
        return made;
      },
    );
    started.push(() => core.close());
    services = openServices({
      store: core.store,
      dynamo,
      dataDir,
      manifest,
      lambdasDir: resolve(options.lambdasDir),
      hostPath: options.hostPath,
      address: core.httpsAddress,
      snsSigner: core.snsSigner,
      log,
      nowMs: options.nowMs ?? Date.now,
    });
    started.push(() => opened().stop());
    started.push(async () => engine?.stop());

    for (const { policyName, document } of rules.policies)
      await core.registry.policies.ensure(policyName, document);
    for (const { roleAlias, roleArn, seconds } of rules.roleAliases) {
      await core.registry.roleAliases.ensure(roleAlias, roleArn, seconds);
    }
    for (const template of rules.templates) await core.registry.templates.ensure(template);
    await core.ruleBook.putBundled(rules.rules);
    for (const refused of core.ruleBook.loadStored())
      log.error(refused, 'a stored rule is not taken any more');

    const access = await core.listenHttps(
      (request, response, body) => dynamo.handle(request, response, body),
      opened().https,
    );
    await opened().start(environmentOf(access), access.ca);
    await engine?.resume();
    const admin = await startAdmin({
      dataDir,
      snapshot: () => disk.snapshot(),
      checkFiles: () => credentialFaults(dataDir),
      log,
    });
    started.push(() => admin.close());
    const mqtt = await core.listenMqtt();
    return { ready: { ready: true, mqtt, ...access }, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** @throws Error where it can't be one */
function makeFolder(dataDir: string): void {
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new Error(
      `${dataDir} can't be the data folder (${(error as Error).message}): give --data a folder of your own, or a path that is free`,
      { cause: error },
    );
  }
}
