/** Does the faults of a soak's schedule, and mends each when its time is over. */

import { setTimeout as delay } from 'node:timers/promises';
import type { FleetServer } from '../nodes/fleet-server.ts';
import { isRunning, type ProcessIdentity, signalProcess } from '../processes/process-identity.ts';
import { runClone } from './clone.ts';
import { deleteRecord, remakeRecord, restoreOlderRecord } from './record-faults.ts';
import type { FaultKind, PlannedFault } from './schedule.ts';
import { noteRecord, type SoakFleet, serverFor } from './soak-fleet.ts';

const cloudProcess = 'cloud';

/**
 * @returns when the fault was mended.
 * @throws FaultBrokenError where what must follow from it did not
 */
export async function doFault(soak: SoakFleet, fault: PlannedFault): Promise<void> {
  const { signal } = soak;
  await delay(fault.afterSeconds * 1000, undefined, { signal });
  await noteRecord(soak);
  const server = serverFor(soak, fault.target);
  const mend = await inflicts[fault.kind](soak, server, fault);
  try {
    await delay(fault.seconds * 1000, undefined, { signal });
  } finally {
    await mend();
  }
}

type Mend = () => void | Promise<void>;
type Inflict = (soak: SoakFleet, server: FleetServer, fault: PlannedFault) => Mend | Promise<Mend>;

const nothing: Mend = () => {};

/** A process that is dead just now, by another fault that overlaps, is killed by this one too: there is nothing to do. */
function kill(process: ProcessIdentity | undefined): void {
  if (process) signalProcess(process, 'SIGKILL');
}

function freeze(processes: readonly (ProcessIdentity | undefined)[]): Mend {
  const stopped = processes.filter((process) => process !== undefined && signalProcess(process, 'SIGSTOP'));
  return () => {
    for (const process of stopped) if (process && isRunning(process)) signalProcess(process, 'SIGCONT');
  };
}

function processes({ drill }: SoakFleet, server: FleetServer) {
  const { runner } = drill.fleet;
  return {
    pilot: runner.identity(server.pilotProcess),
    signer: runner.identity(server.signerProcess ?? ''),
    gaiad: server.gaiad(),
  };
}

const inflicts: Record<FaultKind, Inflict> = {
  'kill-signer': (soak, server) => {
    kill(processes(soak, server).signer);
    return nothing;
  },
  'kill-pilot': (soak, server) => {
    kill(processes(soak, server).pilot);
    return nothing;
  },
  'kill-gaiad': (soak, server) => {
    kill(processes(soak, server).gaiad);
    return nothing;
  },
  'kill-host': (soak, server) => {
    const { runner } = soak.drill.fleet;
    const names = [server.pilotProcess, server.signerProcess ?? ''];
    for (const name of names) runner.hold(name);
    const { pilot, signer, gaiad } = processes(soak, server);
    // The pilot first: it would start its gaiad again.
    for (const process of [pilot, signer, gaiad]) kill(process);
    return () => {
      for (const name of names) runner.release(name);
    };
  },
  'kill-cloud': ({ drill }) => {
    kill(drill.fleet.runner.identity(cloudProcess));
    return nothing;
  },
  'freeze-signer': (soak, server) => freeze([processes(soak, server).signer]),
  'freeze-host': (soak, server) => {
    const { pilot, signer, gaiad } = processes(soak, server);
    return freeze([gaiad, signer, pilot]);
  },
  'freeze-cloud': ({ drill }) => freeze([drill.fleet.runner.identity(cloudProcess)]),
  'cut-cloud': ({ network }, server, { direction }) => cut(network, server, 'cloud', direction),
  'cut-p2p': ({ network }, server, { direction }) => cut(network, server, 'p2p', direction),
  'restart-nodes': ({ drill }) => {
    for (const { gaiad } of drill.validators.map((server) => ({ gaiad: server.gaiad() }))) {
      if (gaiad) signalProcess(gaiad, 'SIGTERM');
    }
    return nothing;
  },
  clone: (soak, server, fault) => runClone(soak, server, fault.ownNodeKey),
  'record-deleted': async (soak) => {
    await deleteRecord(soak);
    return nothing;
  },
  'record-older': async (soak) => {
    await restoreOlderRecord(soak);
    return nothing;
  },
  'record-remade': async (soak) => {
    await remakeRecord(soak);
    return nothing;
  },
};

function cut(
  network: SoakFleet['network'],
  { name }: FleetServer,
  part: 'cloud' | 'p2p',
  direction: PlannedFault['direction'],
): Mend {
  network.cut(name, part, { out: direction !== 'in', in: direction !== 'out' });
  return () => network.mend(name, part);
}
