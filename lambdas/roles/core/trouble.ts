/** Without a record that can be trusted nobody is granted anything. */

import { isSealed } from '../../../protocol/sign-record.ts';
import { type FleetView, kindOf, type RecordView, type Trigger } from './fleet.ts';
import { alertQuietMs, type Step } from './step.ts';

export interface Trouble {
  /** False where the fleet just has no record yet, which is no fault. */
  alarming: boolean;
  text: string;
}

export function recordTrouble(fleet: FleetView): Trouble | undefined {
  const { record } = fleet;
  switch (record.state) {
    case 'not-configured':
      return {
        alarming: false,
        text: `fleet ${fleet.fleet} names no sign record: enrol its signer, then "beam fleet configure ${fleet.fleet} --record-key …"`,
      };
    case 'missing':
      return {
        alarming: true,
        text: `the sign record ${record.key} is missing: no grant until it is enrolled anew`,
      };
    case 'malformed':
      return { alarming: true, text: `the sign record ${record.key} can't be read as one: ${record.fault}` };
    case 'read':
      return wentBack(fleet, record);
  }
}

/** The table was read before the record, and signers only report what the record showed them. */
function wentBack(
  { nodes }: FleetView,
  { record }: Extract<RecordView, { state: 'read' }>,
): Trouble | undefined {
  if (isSealed(record)) {
    // An operator's own act. Its signers tell that they refuse.
    return {
      alarming: false,
      text: `the sign record ${record.key} is sealed: its key was exported, and nobody is granted it again`,
    };
  }
  if (record.grantEpoch < record.epoch) {
    return {
      alarming: true,
      text: `the sign record ${record.key} has grant ${record.grantEpoch} below epoch ${record.epoch}`,
    };
  }
  for (const { thing, health } of nodes) {
    const seen = health?.signer;
    if (!seen || seen.recordId !== record.recordId) continue;
    if (seen.epoch > record.epoch || seen.height > record.height) {
      return {
        alarming: true,
        text:
          `the sign record ${record.key} went back: it shows epoch ${record.epoch}, height ${record.height}; ` +
          `${thing} saw epoch ${seen.epoch}, height ${seen.height}. No grant until it is enrolled anew`,
      };
    }
  }
  return undefined;
}

/** Tells of the trouble, and puts an edit back that needs the record. */
export function withoutRecord(fleet: FleetView, trigger: Trigger, trouble: Trouble): Step[] {
  const steps: Step[] = [];
  const { text } = trouble;
  if (trouble.alarming || trigger.kind === 'request') {
    const thing =
      trigger.kind === 'request' ? trigger.request.thing : (fleet.nodes[0]?.thing ?? `${fleet.fleet}_record`);
    const severity = trouble.alarming ? 'critical' : 'warning';
    steps.push({ step: 'alert', thing, kind: 'record-trouble', severity, text, quietMs: alertQuietMs });
  }
  if (trigger.kind !== 'documents' || trigger.own) return [...steps, { step: 'explain', text }];
  const node = fleet.nodes.find(({ thing }) => thing === trigger.thing);
  const desired = node?.shadow?.desired;
  const { before } = trigger;
  if (!node || !desired || desired.written !== trigger.after?.written || desired.written === before?.written)
    return steps;
  const kind = kindOf(node);
  const allowed =
    kind === 'sentry'
      ? ['sentry', 'maintenance']
      : kind === 'validator'
        ? ['standby', 'maintenance']
        : ['standby', 'maintenance', 'sentry'];
  if (desired.role && allowed.includes(desired.role)) return steps;
  const back =
    before?.role && allowed.includes(before.role) ? before.role : kind === 'sentry' ? 'sentry' : 'standby';
  const reason = text.slice(0, 300);
  steps.push(
    {
      step: 'writeRole',
      thing: node.thing,
      version: node.shadow?.version,
      role: back,
      epoch: undefined,
      reason,
    },
    {
      step: 'alert',
      thing: node.thing,
      kind: 'role-edit-refused',
      severity: 'warning',
      text: `${fleet.fleet}: desired role ${JSON.stringify(desired.written)} of ${node.thing} was put back: ${text}`,
      quietMs: 0,
    },
  );
  return steps;
}
