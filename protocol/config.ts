/**
 * A server's own two files in its Beam home: `config.toml` (this machine's settings) and `node.toml` (which server
 * of which fleet it is). Unknown keys are errors. Paths are relative to the home.
 */

import * as z from 'zod';
import { fleetName, nodeKind, nodeName } from './names.ts';
import { signTableName } from './sign-record.ts';
import { stage } from './stages.ts';

const path = z.string().min(1).max(1024);

/** Of `[signer] node_key`: the node's key is not checked. */
export const unpinnedNode = 'unpinned';
const tcpNode = /^tcp:\/\/(?:\[[0-9A-Fa-f:.]+\]|[^\s:/@[\]]+):\d{1,5}$/;
/** An ed25519 public key in base64 or hex, or a node id (the key's address in hex), or the word. */
const nodeKeyText = /^(?:[A-Za-z0-9+/]{43}=|[0-9A-Fa-f]{64}|[0-9A-Fa-f]{40}|unpinned)$/;

/** Of `[signer] node`, once it was parsed; a host in brackets loses them. */
export function tcpAddress(node: string): { host: string; port: number } {
  const colon = node.lastIndexOf(':');
  return {
    host: node.slice('tcp://'.length, colon).replace(/^\[|\]$/g, ''),
    port: Number(node.slice(colon + 1)),
  };
}

export const nodeFile = z.strictObject({
  /** One validator identity on one chain, with all its servers. */
  fleet: fleetName,
  /** This server's name in it. */
  node: nodeName,
  kind: nodeKind,
  /** Where it stands: a standby in another zone is preferred. */
  zone: z.string().min(1).max(64).optional(),
});
export type NodeFile = z.infer<typeof nodeFile>;

export const configFile = z.strictObject({
  /** How far Beam is trusted with this server. Left out: `sign`, as before there were stages. */
  mode: stage.default('sign'),
  /** Left out: stand-alone, no Commander. */
  cloud: z
    .strictObject({
      /** host:port of the MQTT endpoint (8883 on AWS). */
      mqtt: z.string().regex(/^[^:\s]+:\d+$/, 'must be host:port'),
      /** AWS region of IoT, the tables and KMS; `local` for the local cloud. */
      region: z.string().min(1),
      /** Endpoint of the AWS APIs; left out on AWS itself. */
      https: z.url().optional(),
      /**
       * Unix socket of a local cloud on this machine, which serves there what it does by HTTPS: the signer has its record by it,
       * in less time. Must be this user's, or root's. Left out: by HTTPS.
       */
      socket: path.optional(),
      /** CA of the endpoints; left out: the system's. */
      ca: path.optional(),
      /** This server's certificate, PEM. */
      certificate: path,
      /** Its private key, PEM, mode 0600; made here, leaves never. */
      key: path,
      /** An AWS shared credentials file; left out: `credential_provider`, else the SDK's default chain. */
      credentials: path.optional(),
      /** host:port of the IoT credentials provider: the signer's credentials come by this server's certificate. */
      credential_provider: z
        .string()
        .regex(/^[^:\s]+:\d+$/, 'must be host:port')
        .optional(),
      /** What the certificate asks credentials for there; left out: `beam-signer`. */
      role_alias: z
        .string()
        .regex(/^[\w=,@-]{1,128}$/, 'must be the name of a role alias')
        .optional(),
    })
    .optional(),
  gaiad: z
    .strictObject({
      /** The chain binary (or cosmovisor) with leading arguments. Never set from the cloud. */
      command: z.array(z.string().min(1)).default([]),
      /** Behind `start --home <home>`. */
      start_arguments: z.array(z.string()).default([]),
      /** In place of `command`: the systemd unit that runs gaiad, as Beam's package has it. Its command is the unit's. */
      unit: z
        .string()
        .max(250)
        .regex(
          /^[A-Za-z0-9][A-Za-z0-9:_.@-]*\.service$/,
          'must be the name of a systemd service, such as gaiad.service',
        )
        .optional(),
      /** The chain's home (`config/`, `data/`). Never the place of the consensus key under Beam's signer. */
      home: path,
      /** Where this machine reaches gaiad's RPC. */
      rpc: z.url(),
      /** host:port at which the fleet's other servers reach this node's p2p. */
      p2p: z.string().regex(/^[^\s]+:\d+$/, 'must be host:port'),
    })
    .superRefine(({ command, start_arguments, unit }, context) => {
      const complain = (key: string, message: string) =>
        context.addIssue({ code: 'custom', path: [key], message });
      if (unit === undefined && command.length === 0) {
        complain(
          'command',
          "missing: give the chain's binary, or the systemd unit that runs it as gaiad.unit",
        );
      } else if (unit !== undefined && command.length + start_arguments.length > 0) {
        complain(
          'unit',
          `beside command or start_arguments: what ${unit} runs is said in the unit; remove one of them`,
        );
      }
    }),
  signer: z
    .strictObject({
      /**
       * CometBFT's priv_validator_key.json, or what `beam signer encrypt-key` made of it (its content tells which); mode
       * 0600. Outside gaiad's home. Not read where `kms` is given.
       */
      key: path.default('signer/priv_validator_key.json'),
      /** Where an encrypted key's passphrase is read: an open file descriptor, or a systemd credential. */
      passphrase: z
        .string()
        .regex(
          /^(fd:\d{1,4}|credential:[A-Za-z0-9_.-]{1,255})$/,
          'must be "fd:NUMBER" (an open file descriptor) or "credential:NAME" (a systemd credential)',
        )
        .optional(),
      /** The consensus key is an AWS KMS key of spec ECC_NIST_EDWARDS25519, which no host can export. */
      kms: z
        .strictObject({
          /** Key id, alias (`alias/…`) or ARN. */
          key_id: z.string().min(1).max(2048),
          /** Left out: the key ARN's, else [cloud] region. */
          region: z.string().min(1).optional(),
          /** Left out: AWS's own. With one, [cloud] ca is its authority. */
          endpoint: z.url().optional(),
        })
        .optional(),
      /** host:port of the signer's Prometheus metrics (`127.0.0.1:26661`); left out: none. */
      metrics: z
        .string()
        .regex(/^[^\s]+:\d{1,5}$/, 'must be host:port')
        .optional(),
      /** Folder of the signer's state and journal; not on the chain-data volume. */
      state: path.default('signer/state'),
      /** gaiad's priv_validator_laddr, a unix socket; not used where `node` is set. */
      socket: path.default('run/signer.sock'),
      /** In place of `socket`: a node that is reached by TCP, as `tcp://host:port`. */
      node: z
        .string()
        .max(300)
        .regex(tcpNode, 'must be tcp://host:port')
        .refine((node) => tcpAddress(node).port <= 65_535, 'must have a port of at most 65535')
        .optional(),
      /** The key with which that node answers, or `unpinned`. Needed with `node`. */
      node_key: z
        .string()
        .regex(
          nodeKeyText,
          `must be the node's ed25519 public key (base64 or hex), its node id, or the word ${unpinnedNode}`,
        )
        .optional(),
      /** With `node`: our own key on that connection. Made at the first start, mode 0600. */
      connection_key: path.default('signer/connection_key.pem'),
      /** Unix socket at which pilot and `beam signer status` speak to the signer. */
      control: path.default('run/signer-control.sock'),
      /** DynamoDB table of the sign record. */
      table: z.string().min(3).default(signTableName),
      /** The only chain for which the signer signs. */
      chain_id: z.string().min(1).max(50),
    })
    .superRefine(({ node, node_key }, context) => {
      if (node !== undefined && node_key === undefined) {
        context.addIssue({
          code: 'custom',
          path: ['node_key'],
          message: `missing: give the key of the node at ${node}, or "${unpinnedNode}" if whoever answers there may ask for signatures`,
        });
      } else if (node === undefined && node_key !== undefined) {
        context.addIssue({ code: 'custom', path: ['node_key'], message: 'needs signer.node beside it' });
      }
    })
    .optional(),
  status: z
    .strictObject({
      /** Loopback only; port 0: a free one, written to run/status.json. */
      port: z.number().int().min(0).max(65_535).default(26_680),
    })
    .prefault({}),
  health: z
    .strictObject({
      /** From one health message to the next. */
      seconds: z.number().min(1).max(300).default(10),
      /** Health messages go to their rule alone, which is cheaper on AWS; other tools can't subscribe to them then. */
      basic_ingest: z.boolean().default(false),
    })
    .prefault({}),
  log: z
    .strictObject({
      /** Of pilot and signer. */
      level: z.enum(['trace', 'debug', 'info', 'warn', 'error']).default('info'),
    })
    .prefault({}),
});
export type ConfigFile = z.infer<typeof configFile>;

/**
 * `[health]` of a server on AWS itself: a message to a rule alone has no price of its own, and what changes (role, gaiad) is told at
 * once anyway. A server counts as silent after three and a half of the seconds.
 */
export const healthOnAws = { basic_ingest: true, seconds: 30 } as const;

/** Raised for a file of ours that can't be used: each fault with its place, and what to do. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly file: string;
  readonly faults: string[];
  constructor(file: string, faults: string[], options?: ErrorOptions) {
    super(`${file}: ${faults.join('; ')}`, options);
    this.file = file;
    this.faults = faults;
  }
}

/** Parses `value` by `schema`, or tells all the faults at once, each with its path. */
export function parseConfig<T extends z.ZodType>(schema: T, value: unknown, file: string): z.output<T> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new ConfigError(
    file,
    parsed.error.issues.map((issue) => {
      const place = issue.path.join('.');
      if (issue.code === 'unrecognized_keys') {
        const keys = issue.keys.map((key) => (place ? `${place}.${key}` : key)).join(', ');
        return `${keys}: no such setting; remove it or correct its name`;
      }
      return `${place || 'the file'}: ${issue.message}`;
    }),
  );
}

/** Where things are in a Beam home, beside what config.toml names. */
export const homePaths = {
  config: 'config.toml',
  node: 'node.toml',
  certs: 'certs',
  run: 'run',
  state: 'state',
  logs: 'logs',
  /** The status agent's address, as JSON, while the pilot runs. */
  statusFile: 'run/status.json',
  gaiadPid: 'run/gaiad.json',
} as const;
