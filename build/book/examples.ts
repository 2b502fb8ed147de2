/** What a block of TOML or JSON in a document is an example of: the words behind its language. */

import { isDeepStrictEqual } from 'node:util';
import { parse } from '@iarna/toml';
import * as z from 'zod';
import { ConfigError, configFile, nodeFile, parseConfig } from '../../protocol/config.ts';
import { lambdaManifest } from '../../protocol/manifest.ts';
import {
  desiredGaiad,
  desiredRole,
  reportedGaiad,
  reportedRoleState,
  reportedStatus,
} from '../../protocol/shadows.ts';
import { beatItem, signRecord } from '../../protocol/sign-record.ts';
import { alertMessage, healthMessage, plainEvent, roleRequestEvent } from '../../protocol/topics.ts';

/** All that a server's signer names in the sign table: what the seal alone names is left out. */
const signerAttributes = new Set([...Object.keys(signRecord.shape), ...Object.keys(beatItem.shape)]);
signerAttributes.delete('sealedAt');
const signerCondition = z.object({
  Condition: z.object({
    'ForAllValues:StringEquals': z.object({
      'dynamodb:Attributes': z
        .array(z.string())
        .refine(
          (names) => isDeepStrictEqual(new Set(names), signerAttributes),
          `must name ${[...signerAttributes].join(', ')}`,
        ),
    }),
  }),
});

const jsonExamples: Record<string, z.ZodType> = {
  'role desired': desiredRole,
  'role reported': reportedRoleState,
  'gaiad desired': desiredGaiad,
  'gaiad reported': reportedGaiad,
  'status reported': reportedStatus,
  health: healthMessage,
  'role-request': roleRequestEvent,
  event: plainEvent,
  alert: alertMessage,
  manifest: lambdaManifest,
  'signer condition': signerCondition,
};

/** A whole config.toml, into which a document's piece is put. */
const wholeConfig = {
  cloud: {
    mqtt: 'iot:8883',
    region: 'eu-central-1',
    certificate: 'certs/device.pem.crt',
    key: 'certs/device.key',
  },
  gaiad: { home: '/srv/gaiad', rpc: 'http://127.0.0.1:26657', p2p: '10.0.0.5:26656' },
  signer: { chain_id: 'cosmoshub-4' },
};
/** What it needs as well, where the piece does not name a unit. */
const commandConfig = { gaiad: { command: ['gaiad'] } };
const wholeNode = { fleet: 'hub', node: 'a', kind: 'validator' };

/** @returns what is wrong, or undefined */
export function tomlFault(text: string, example: string): string | undefined {
  let piece: unknown;
  try {
    piece = parse(text);
  } catch (error) {
    return `no TOML: ${error instanceof Error ? error.message.split('\n')[0] : error}`;
  }
  try {
    if (example === 'config.toml') parseConfig(configFile, merged(configBeside(piece), piece), 'config.toml');
    else if (example === 'node.toml') parseConfig(nodeFile, merged(wholeNode, piece), 'node.toml');
    else if (example !== '') return `nothing is known of an example of '${example}'`;
    return undefined;
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
}

/** @returns what is wrong, or undefined */
export function jsonFault(text: string, example: string): string | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return `no JSON: ${error instanceof Error ? error.message : error}`;
  }
  if (example === '') return undefined;
  const schema = jsonExamples[example];
  if (!schema) return `nothing is known of an example of '${example}'`;
  const parsed = schema.safeParse(value);
  if (!parsed.success) return z.prettifyError(parsed.error).replaceAll('\n', ' ');
  return isDeepStrictEqual(parsed.data, value) ? undefined : `has a field that ${example} does not have`;
}

function configBeside(piece: unknown): unknown {
  const hasUnit = isTable(piece) && isTable(piece.gaiad) && 'unit' in piece.gaiad;
  return hasUnit ? wholeConfig : merged(wholeConfig, commandConfig);
}

function merged(whole: unknown, piece: unknown): unknown {
  if (!isTable(whole) || !isTable(piece)) return piece;
  const all = Object.entries(piece).map(([name, value]) => [
    name,
    name in whole ? merged(whole[name], value) : value,
  ]);
  return { ...whole, ...Object.fromEntries(all) };
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
