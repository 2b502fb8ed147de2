/** Does a fault to a server, and mends what the fault itself does not let mend. */

import type { FleetServer } from '../nodes/fleet-server.ts';
import { type ProcessIdentity, signalProcess } from '../processes/process-identity.ts';
import type { Runner } from '../processes/runner.ts';
import type { Fault } from './judge.ts';

export interface Inflicted {
  /** ms since 1970, just before the fault. */
  atMs: number;
  /** Lets the server live again; for faults that last. */
  mend(): void;
}

/** Raised when a process that a fault is about does not run: the fleet was not whole. */
export class FaultTargetError extends Error {
  override readonly name = 'FaultTargetError';
}

export interface ServerProcesses {
  pilot: ProcessIdentity;
  signer: ProcessIdentity;
  gaiad: ProcessIdentity;
}

/** @throws FaultTargetError */
export function processesOf(server: FleetServer, runner: Runner): ServerProcesses {
  const pilot = runner.identity(server.pilotProcess);
  const signer = server.signerProcess === undefined ? undefined : runner.identity(server.signerProcess);
  const gaiad = server.gaiad();
  if (!pilot || !signer || !gaiad) {
    const missing = Object.entries({ pilot, signer, gaiad }).flatMap(([name, found]) =>
      found ? [] : [name],
    );
    throw new FaultTargetError(`${server.name}'s ${missing.join(' and ')} does not run`);
  }
  return { pilot, signer, gaiad };
}

/** @throws FaultTargetError */
export function inflict(fault: Exclude<Fault, 'none'>, server: FleetServer, runner: Runner): Inflicted {
  const { pilot, signer, gaiad } = processesOf(server, runner);
  const nothing = () => {};
  const atMs = Date.now();
  switch (fault) {
    case 'gaiad':
      signalProcess(gaiad, 'SIGKILL');
      return { atMs, mend: nothing };
    case 'signer':
      signalProcess(signer, 'SIGKILL');
      return { atMs, mend: nothing };
    case 'pilot':
      signalProcess(pilot, 'SIGKILL');
      return { atMs, mend: nothing };
    case 'host': {
      const names = [server.pilotProcess, server.signerProcess ?? ''];
      for (const name of names) runner.hold(name);
      // The pilot first: it would start its gaiad again.
      for (const process of [pilot, signer, gaiad]) signalProcess(process, 'SIGKILL');
      const mend = () => {
        for (const name of names) runner.release(name);
      };
      return { atMs, mend };
    }
    case 'freeze': {
      const all = [gaiad, signer, pilot];
      for (const process of all) signalProcess(process, 'SIGSTOP');
      const mend = () => {
        for (const process of all) signalProcess(process, 'SIGCONT');
      };
      return { atMs, mend };
    }
  }
}
