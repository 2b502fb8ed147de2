/** Whether an overlay may be written at all: every fault by its path, found before anything is touched. Pure. */

import type { NodeKind } from '../../protocol/names.ts';
import type { RejectedSetting } from '../../protocol/shadows.ts';
import { isDuration, isMachines, knownType, typeFault } from './known-settings.ts';
import { type ChainFile, chainFiles } from './overlay-state.ts';
import { isPilots } from './pilots-settings.ts';
import { rejectedSetting } from './rejected.ts';
import { isTable, settingAt, settings, type TomlPath, type TomlTable } from './toml-tree.ts';

const depthMax = 5;

export interface OverlayCheck {
  kind: NodeKind;
  /** Beam's signer signs for this server's node. */
  underSigner: boolean;
  /** Port at which the pilot reaches the node's RPC. */
  rpcPort: number;
  /** The files as they are; a missing one takes no settings. */
  files: Partial<Record<ChainFile, TomlTable>>;
}

/** @returns all faults; none: the overlay may be applied. */
export function checkOverlay(overlay: TomlTable, check: OverlayCheck): RejectedSetting[] {
  const rejected: RejectedSetting[] = [];
  const reject = (path: string, value: unknown, reason: string) => {
    rejected.push(rejectedSetting(path, value, reason));
  };
  for (const [name, part] of Object.entries(overlay)) {
    const file = chainFiles.find((known) => known === name);
    if (!file) reject(name, part, 'an overlay has config.toml and app.toml, no other files');
    else if (!isTable(part)) reject(name, part, 'must be a table of settings');
    else {
      const content = check.files[file];
      if (!content) reject(name, part, `this server's chain home has no ${name}`);
      else {
        for (const { path, value } of settings(part)) {
          const fault = settingFault(file, path, value, content, check);
          if (fault !== undefined) reject(`${file}/${path.join('.')}`, value, fault);
        }
      }
    }
  }
  return rejected;
}

function settingFault(
  file: ChainFile,
  path: TomlPath,
  value: unknown,
  content: TomlTable,
  check: OverlayCheck,
): string | undefined {
  const dotted = path.join('.');
  if (path.length > depthMax) return 'nested too deeply for a setting';
  if (isPilots(path, check.underSigner)) {
    return dotted === 'consensus.double_sign_check_height'
      ? "stays 0 under Beam's signer: anything else stops a hot standby from starting"
      : "belongs to the pilot: who signs is not a matter of gaiad's configuration";
  }
  if (isMachines(dotted)) return "names what is this machine's own; change it in the file itself";
  const current = settingAt(content, path);
  const type = file === 'config.toml' ? knownType(dotted) : undefined;
  if (current === undefined && type === undefined) return "there is no such setting in this chain's file";
  return (
    (type && typeFault(type, value)) ??
    likeCurrent(current, value) ??
    (file === 'config.toml' ? danger(dotted, value, check) : undefined)
  );
}

/** A setting keeps the type that it has. */
function likeCurrent(current: unknown, value: unknown): string | undefined {
  if (current === undefined) return undefined;
  const was = typeName(current);
  if (typeName(value) !== was) return `must be ${was}, as it is now`;
  if (isDuration(current)) return typeFault('duration', value);
  const whole = typeof current === 'number' && Number.isInteger(current);
  return whole && !Number.isInteger(value) ? 'must be a whole number' : undefined;
}

function typeName(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (isTable(value)) return 'a table';
  return (
    { string: 'a string', boolean: 'true or false', number: 'a number' }[typeof value as string] ?? 'a date'
  );
}

function danger(path: string, value: unknown, { kind, rpcPort }: OverlayCheck): string | undefined {
  if (path === 'p2p.pex' && value === true && kind === 'validator') {
    return 'a validator does not exchange peers: it would become known beyond its sentries';
  }
  if (path === 'p2p.seed_mode' && value === true)
    return 'a seed drops its peers: no server of a fleet is one';
  if (path === 'rpc.unsafe' && value === true) return 'opens commands to everybody who reaches the RPC';
  if (path === 'rpc.laddr' && portOf(value) !== rpcPort) {
    return `the pilot watches this node at port ${rpcPort} (gaiad.rpc in its config.toml)`;
  }
  if (path === 'blocksync.adaptive_sync' && value === true && kind === 'validator') {
    return 'adaptive_sync can sign past the checks of double signs (cometbft#5953)';
  }
  return undefined;
}

function portOf(value: unknown): number | undefined {
  const port = /:(\d+)$/.exec(String(value))?.[1];
  return port === undefined ? undefined : Number(port);
}
