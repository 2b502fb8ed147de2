/** gaiad as this server's mode has it: under the pilot's supervision, or only watched. */

import { type ConfigFile, homePaths } from '../../protocol/config.ts';
import type { RejectedSetting } from '../../protocol/shadows.ts';
import { stageFeatures } from '../../protocol/stages.ts';
import type { Teller } from '../alerts/teller.ts';
import type { Clock } from '../clock.ts';
import type { Home } from '../home/load-home.ts';
import type { Logger } from '../log.ts';
import { type ChainHome, OverlayApplier } from '../overlay/apply-overlay.ts';
import { OverlayStore } from '../overlay/overlay-state.ts';
import { signerAddress } from '../overlay/pilots-settings.ts';
import { ownKey } from './own-key.ts';
import { type GaiadRuns, keyFileOf, Supervisor, type SupervisorEvents } from './supervisor.ts';
import type { SupervisorInputs } from './supervisor-inputs.ts';
import { WatchedGaiad, type WatchedGaiadInputs } from './watched-gaiad.ts';

export type Gaiad = Pick<
  Supervisor,
  'start' | 'stop' | 'poke' | 'reported' | 'pid' | 'waitsFor' | 'troubles' | 'outsidePeers' | 'setting'
>;

export interface GaiadParts {
  home: Home;
  clock: Clock;
  log: Logger;
  teller: Teller;
  inputs(): SupervisorInputs;
  watched(): WatchedGaiadInputs;
  /** Another process than before runs now, or none. */
  onProcess(started: boolean): void;
  onChange(): void;
}

export function openGaiad(parts: GaiadParts): Gaiad {
  const { home, clock, log, inputs, watched, onChange } = parts;
  const { config, node } = home;
  const { signs, supervises } = stageFeatures[config.mode];
  const store = new OverlayStore(home.path(homePaths.state));
  const chain = chainHome(home);
  if (!supervises) {
    const applier = new OverlayApplier(chain, store);
    return new WatchedGaiad({ rpc: config.gaiad.rpc, applier, store, inputs: watched, onChange });
  }
  const keyFiles = async () => {
    const named = await supervisor.setting('priv_validator_key_file');
    return [keyFileOf(chain.home, named)].filter((file) => file !== undefined);
  };
  const own = ownKey({
    validator: node.kind === 'validator',
    stateDir: config.signer && home.path(config.signer.state),
    gaiadHome: chain.home,
    keyFiles,
  });
  const supervisor: Supervisor = new Supervisor(
    {
      chain: { ...chain, runs: runsBy(config.gaiad) },
      keyFiles,
      ownKey: signs ? undefined : own,
      files: { record: home.path(homePaths.gaiadPid), log: `${home.path(homePaths.logs)}/gaiad.log` },
      store,
      clock,
      log,
      inputs,
    },
    supervisorEvents(parts),
  );
  return supervisor;
}

function runsBy({ command, start_arguments: startArguments, unit }: ConfigFile['gaiad']): GaiadRuns {
  return unit === undefined ? { by: 'command', command, startArguments } : { by: 'unit', unit };
}

function chainHome({ config, node, path }: Home): ChainHome {
  const { signs } = stageFeatures[config.mode];
  return {
    kind: node.kind,
    home: path(config.gaiad.home),
    signerAddress:
      signs && config.signer ? signerAddress(config.signer.node, path(config.signer.socket)) : undefined,
    signs,
    rpcPort: Number(new URL(config.gaiad.rpc).port),
  };
}

/** What the fleet hears of gaiad. */
function supervisorEvents({ teller, onProcess, onChange }: GaiadParts): SupervisorEvents {
  return {
    onStarted: (pid) => {
      onProcess(true);
      teller.event('gaiad-started', `gaiad was started with pid ${pid}`);
    },
    onExited: (how, wanted, lastWords) => {
      onProcess(false);
      teller.event('gaiad-exited', `gaiad ended ${wanted ? 'as it was told to' : 'by itself'}: ${how}`, {
        wanted,
      });
      if (wanted) return;
      const said = lastWords ? ` It last said: ${lastWords}` : '';
      teller.alert('gaiad-down', 'warning', `gaiad ended by itself (${how}) and is started again.${said}`);
    },
    onApplied: ({ lastGood }, changed) =>
      teller.event('config-applied', `gaiad is healthy with overlay ${lastGood}`, { changed }),
    onRejected: ({ rejected }) => tellRejected(teller, rejected),
    onRolledBack: ({ rejected }, reason) =>
      teller.alert(
        'config-rolled-back',
        'critical',
        `An overlay was rolled back, because ${reason}: ${describe(rejected)}`,
        { rejected },
      ),
    onChange,
  };
}

/** Also for what is malformed, and never comes to be checked. */
export function tellRejected(teller: Teller, rejected: readonly RejectedSetting[]): void {
  teller.alert('config-rejected', 'warning', `An overlay was rejected: ${describe(rejected)}`, {
    rejected: [...rejected],
  });
}

function describe(rejected: readonly RejectedSetting[]): string {
  return rejected.map(({ path, reason }) => `${path}: ${reason}`).join('; ');
}
