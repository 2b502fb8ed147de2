/** What guards the key here, and whether it can: the pinned enrolment, the signer that runs, the sign record. */

import { showPosition } from '../../protocol/sign-position.ts';
import { isSealed, type SignRecord, signRecord } from '../../protocol/sign-record.ts';
import type { SignerStatus } from '../../protocol/signer-control.ts';
import { readRecord } from '../core/assess.ts';
import type { RecordStore, StateReading } from '../core/ports.ts';
import type { SignerState } from '../core/state.ts';
import type { Refusal } from '../refusal.ts';
import { type Finding, percentile, spread } from './finding.ts';

const reads = 30;
const readMsMax = 5000;
/** A signature needs one write of about this latency, within 2.5 s at most. */
const readMsWarn = 100;
const readMsCritical = 500;

/** @param refusal why the configuration and the state do not belong together (`refusalOf`) */
export function guardFindings(reading: StateReading, refusal: Refusal | undefined): Finding[] {
  const check = 'guard';
  if (reading.kind === 'none') {
    return [
      {
        check,
        level: 'warning',
        text: 'nothing is signed here: no key was enrolled yet',
        remedy:
          'run beam signer enrol (or import) on one server of the fleet, beam signer join on the others',
      },
    ];
  }
  if (refusal || reading.kind !== 'state') {
    return [
      {
        check,
        level: refusal?.code === 'not-enrolled' ? 'warning' : 'critical',
        text: `nothing is signed here (${refusal?.code ?? reading.kind}): ${refusal?.message ?? ('reason' in reading ? reading.reason : '')}`,
        remedy: 'what to do is in the text',
      },
    ];
  }
  const { guard, record, bar, machine, seen } = reading.state;
  const findings: Finding[] = [
    {
      check,
      level: 'well',
      text: `pinned: guard ${guard}${record ? `, record ${record.recordId} in ${record.table}` : ''}; nothing at or below ${showPosition(seen)} is signed again`,
    },
  ];
  if (bar) {
    findings.push({
      check,
      level: 'critical',
      text: `barred since ${bar.at} (${bar.code}): ${bar.reason}`,
      remedy: 'nothing lifts it but a new enrolment, after its cause was found',
    });
  }
  if (guard === 'local') {
    findings.push({
      check,
      level: 'warning',
      text: 'the local guard knows this machine alone: a copy of the key elsewhere is not told',
      remedy: 'use the sign record for anything that has a stake',
    });
  }
  if (machine === '') {
    findings.push({
      check,
      level: 'warning',
      text: 'this machine has no id, so a copy of the state on another machine is not told',
      remedy: 'give it an /etc/machine-id of its own (systemd-machine-id-setup)',
    });
  }
  return findings;
}

export function signerFinding(status: SignerStatus | undefined): Finding {
  const check = 'signer';
  if (!status) {
    return {
      check,
      level: 'warning',
      text: 'no signer runs on this home',
      remedy: 'start it: beam signer start (its service)',
    };
  }
  const text = `${status.state}, epoch ${status.epoch}, ${status.signed} signed, ${status.refused} refused${status.nodeConnected ? '' : '; the node is not connected'}`;
  if (status.state === 'refusing' || status.state === 'fenced') {
    return {
      check,
      level: 'critical',
      text: `${text}: ${status.reason ?? ''}`,
      remedy: `look up the code ${status.code ?? status.state} in its reason, and in the signer's log`,
    };
  }
  return {
    check,
    level: status.nodeConnected ? 'well' : 'warning',
    text,
    ...(status.nodeConnected
      ? {}
      : { remedy: 'is gaiad running, with priv_validator_laddr on this signer?' }),
  };
}

/** Reads it some tens of times, consistently, as a signer does. */
export async function recordFindings(
  store: RecordStore,
  pin: { key: string; table: string },
  state: SignerState | undefined,
  now: () => number,
): Promise<Finding[]> {
  const check = 'record';
  const latencies: number[] = [];
  let item: Record<string, unknown> | undefined;
  for (let count = 0; count < reads; count++) {
    const beganMs = now();
    const outcome = await store.read(pin.key, readMsMax);
    if (outcome.kind === 'doubt') {
      return [
        {
          check,
          level: 'critical',
          text: `the sign record can't be read (read ${count + 1} of ${reads}: ${outcome.cause})`,
          remedy:
            'check [cloud] in config.toml, its credentials, and the network; nothing is signed without it',
        },
      ];
    }
    latencies.push(now() - beganMs);
    item = outcome.kind === 'found' ? outcome.item : undefined;
  }
  const p99 = percentile(latencies, 0.99);
  const slow: Finding = {
    check,
    level: p99 > readMsCritical ? 'critical' : p99 > readMsWarn ? 'warning' : 'well',
    text: `consistent reads of ${pin.table}: ${spread(latencies)}`,
    ...(p99 > readMsWarn
      ? { remedy: 'put the table into a region near the validators, or the validators near the table' }
      : {}),
  };
  return [slow, ...whatItSays(item, pin, state)];
}

function whatItSays(
  item: Record<string, unknown> | undefined,
  pin: { key: string; table: string },
  state: SignerState | undefined,
): Finding[] {
  const check = 'record';
  const parsed = signRecord.safeParse(item).data;
  if (!state) {
    if (item === undefined) {
      return [
        { check, level: 'well', text: `${pin.key} has no record in ${pin.table} yet: it can be enrolled` },
      ];
    }
    return [
      {
        check,
        level: 'warning',
        text: `${pin.key} has a record${parsed ? ` (${parsed.recordId})` : ''}, and this server has not joined it`,
        remedy: 'run beam signer join',
      },
    ];
  }
  try {
    return [{ check, level: 'well', text: describe(readRecord(item, state)) }];
  } catch (error) {
    return [
      {
        check,
        level: 'critical',
        text:
          parsed && isSealed(parsed)
            ? `${describe(parsed)}: ${(error as Error).message}`
            : (error as Error).message,
        remedy: 'nothing is signed under it; what to do is in the text',
      },
    ];
  }
}

function describe(record: SignRecord): string {
  return `the record is ${isSealed(record) ? 'SEALED' : `held by ${record.holder || 'nobody'} in epoch ${record.epoch}`}, at ${showPosition(record)}`;
}
