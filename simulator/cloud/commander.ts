/** Commander's functions as a cloud runs them: late, at the same time, twice, dying half way, tried again. */

import { Announcer } from '../../lambdas/aws/announce.ts';
import { Covered } from '../../lambdas/aws/covered.ts';
import { FleetTable } from '../../lambdas/aws/fleet-table.ts';
import { Shadows } from '../../lambdas/aws/shadows.ts';
import { SignTable } from '../../lambdas/aws/sign-table.ts';
import { handleHealth } from '../../lambdas/health/handle.ts';
import { handleRoles } from '../../lambdas/roles/handle.ts';
import { WriteLimit } from '../../lambdas/roles/write-limit.ts';
import { fleetTableName } from '../../protocol/fleet-table.ts';
import { signTableName } from '../../protocol/sign-record.ts';
import type { SeededChance } from '../../signer/rehearsal/seeded.ts';
import { type MachineClock, Process } from '../world/process.ts';
import type { Scheduler } from '../world/scheduler.ts';
import { type ClientParts, dynamoClient, iotClient } from './aws-clients.ts';
import type { Tables } from './dynamodb.ts';
import type { Iot } from './iot.ts';
import type { DynamoFaults } from './sign-table.ts';

/** How often what goes wrong with an invocation. */
export interface LambdaRates {
  delayMsMax: number;
  dies: number;
  twice: number;
}

/** AWS tries an asynchronous event two more times; it waits minutes, which this world has not. */
const triesMax = 3;
const retryMs = 1500;
/** An invocation's bound (lambdas/manifest.json). */
const timeoutMs = 10_000;
const sweepMs = 60_000;
const effectsMax = 12;
/** Instances of the roles function at a time (lambdas/manifest.json). */
const instancesMax = 2;

export interface CommanderParts {
  scheduler: Scheduler;
  chance: SeededChance;
  clock: MachineClock;
  tables: Tables;
  iot: () => Iot;
  faults: DynamoFaults;
  rates: LambdaRates;
  onViolation: (text: string) => void;
  trace: (text: string) => void;
}

interface Instance {
  covered: Covered;
  limit: WriteLimit;
}

export class Commander {
  readonly #parts: CommanderParts;
  readonly #instances: Instance[] = [];

  constructor(parts: CommanderParts) {
    this.#parts = parts;
  }

  start(): void {
    const { scheduler } = this.#parts;
    const sweep = () => {
      this.invoke('roles', { trigger: 'sweep' });
      scheduler.after(sweepMs, sweep);
    };
    scheduler.after(sweepMs / 2, sweep);
  }

  invoke(name: string, event: unknown): void {
    const { chance, rates } = this.#parts;
    this.#later(name, event, 1);
    if (rates.twice > 0 && chance.happens(rates.twice)) this.#later(name, event, 1);
  }

  #later(name: string, event: unknown, attempt: number): void {
    const { scheduler, chance, rates } = this.#parts;
    const waitMs = attempt === 1 ? chance.next() * rates.delayMsMax : retryMs;
    scheduler.after(waitMs, () => void this.#run(name, event, attempt));
  }

  async #run(name: string, event: unknown, attempt: number): Promise<void> {
    const { scheduler, chance, clock, rates, trace } = this.#parts;
    let ended = false;
    const again = (how: string) => {
      if (ended) return;
      ended = true;
      trace(`lambda ${name}: ${how}`);
      if (attempt < triesMax) this.#later(name, event, attempt + 1);
    };
    const process = new Process(`lambda ${name}`, { scheduler, chance }, clock, () => again('died'));
    if (rates.dies > 0 && chance.happens(rates.dies)) process.effectsLeft = 1 + chance.below(effectsMax);
    scheduler.after(timeoutMs, () => process.kill());
    try {
      await this.#handle(name, event, process);
      ended = true;
    } catch (error) {
      again(String(error));
    }
    process.kill();
  }

  async #handle(name: string, event: unknown, process: Process): Promise<void> {
    const { tables, iot, chance, faults, onViolation } = this.#parts;
    const parts: ClientParts = { process, tables, iot: iot(), chance, faults, onViolation };
    const now = () => process.wallMs();
    if (name === 'health') return await handleHealth(dynamoClient(parts), fleetTableName, event, now);
    // What Commander alerts is told to people, who are not of this world.
    if (name !== 'roles') return;
    const instance = this.#instance(chance.below(instancesMax));
    const [dynamodb, iotData] = [dynamoClient(parts), iotClient(parts)];
    await handleRoles(
      {
        effects: {
          fleetTable: new FleetTable(dynamodb, fleetTableName),
          signTable: new SignTable(dynamodb, signTableName),
          shadows: new Shadows(iotData),
          announcer: new Announcer(iotData, now),
          limit: instance.limit,
        },
        covered: instance.covered,
        now,
      },
      event,
    );
  }

  #instance(index: number): Instance {
    const found = this.#instances[index];
    if (found) return found;
    const { scheduler } = this.#parts;
    const made = { covered: new Covered(), limit: new WriteLimit(() => scheduler.nowMs) };
    this.#instances[index] = made;
    return made;
  }
}
