/** Is a standby's request about the state as it is now, and is the trouble real? */

import { beatMark } from '../../../protocol/sign-record.ts';
import type { RoleRequestEvent } from '../../../protocol/topics.ts';
import { isSilent } from './fitness.ts';
import { type FleetView, kindOf, type Reign } from './fleet.ts';

/** A request is repeated while the trouble lasts, so an older one is void. */
const requestAgeMsMax = 10_000;

/** @returns why the request is void, or undefined where it stands. */
export function voidRequest(
  request: RoleRequestEvent,
  receivedAt: number,
  reign: Reign,
  fleet: FleetView,
  now: number,
): string | undefined {
  const { thing, recordId, epoch, holder } = request;
  const node = fleet.nodes.find((one) => one.thing === thing);
  if (!node || kindOf(node) !== 'validator') return `${thing} is no validator of ${fleet.fleet}`;
  if (now - receivedAt > requestAgeMsMax) return `the request is ${now - receivedAt} ms old`;
  if (recordId !== reign.recordId) return 'the request is about another record';
  if (epoch !== reign.epoch || holder !== reign.holder) {
    return `the request is about epoch ${epoch} of ${holder || 'nobody'}, the record shows epoch ${reign.epoch} of ${reign.holder || 'nobody'}`;
  }
  if (holder === '') return 'nobody held the role yet: the first one is named by an operator';
  if (thing === holder) return `${thing} holds the role itself`;
  const { desired, reported } = node.shadow ?? {};
  if (desired?.role === 'maintenance' || reported?.role === 'maintenance')
    return `${thing} is in maintenance`;
  return contradiction(request, fleet, now);
}

/** What the record, the beat and the other nodes say against the request. */
function contradiction(request: RoleRequestEvent, fleet: FleetView, now: number): string | undefined {
  const { beat, record, nodes } = fleet;
  if (record.state !== 'read') return undefined;
  const { holder, epoch, height } = record.record;
  switch (request.reason) {
    case 'yielded':
      return beat && beat.epoch === epoch && beat.yielded === 0 ? `${holder} has its node again` : undefined;
    case 'beat-still': {
      if (height > request.height) return `${holder} signed height ${height} since`;
      const mark = beatMark(beat, epoch);
      const rose = request.beat !== undefined && mark !== '' && mark !== request.beat;
      // One that yields counts on, too, and would rather not sign.
      return rose && beat?.yielded === 0 ? `the beat of ${holder} rose since` : undefined;
    }
    case 'commits-missed': {
      const seen = request.lastSignedHeight;
      const witness = nodes.find(
        (node) =>
          seen !== undefined &&
          !isSilent(node, now) &&
          node.thing !== holder &&
          (node.health?.signing?.lastSignedHeight ?? 0) > seen,
      );
      return witness && `${witness.thing} saw our signature at ${witness.health?.signing?.lastSignedHeight}`;
    }
  }
}
