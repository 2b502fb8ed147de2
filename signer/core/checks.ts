/** Checks that need no record: of what a request says of itself, and of how far it may go. Pure. */

import { comparePositions, type SignPosition } from '../../protocol/sign-position.ts';
import { Refusal } from '../refusal.ts';
import type { SignRequest } from './request.ts';
import type { HeldPosition } from './state.ts';

/** A request this far above what is held needs nobody to bear it out (invariant 8). */
export const heightLeapMax = 2;

/** @throws Refusal */
export function checkIdentity(request: SignRequest, chainId: string, address: string): void {
  if (request.chainId !== chainId) {
    throw new Refusal(
      'wrong-chain',
      `the node is on chain ${JSON.stringify(request.chainId)}, this signer signs for ${JSON.stringify(chainId)} alone; correct [signer] chain_id or the node`,
      { asked: request.position },
    );
  }
  if (request.validatorAddress !== '' && request.validatorAddress !== address) {
    throw new Refusal(
      'wrong-key',
      `the node votes as validator ${request.validatorAddress}, this signer's key is ${address}; the node was started with another key`,
      { asked: request.position },
    );
  }
}

/** @throws Refusal where the request comes before what is held. @returns whether it is at the very position. */
export function checkOrder(request: SignRequest, held: SignPosition): 'same' | 'above' {
  const order = comparePositions(request.position, held);
  if (order < 0) throw positionBelow(request, held);
  return order === 0 ? 'same' : 'above';
}

export function positionBelow(request: SignRequest, held: SignPosition): Refusal {
  return new Refusal(
    'position-below',
    'this position is past: something at or above it was signed, or may have been; nothing to do, the node goes on with the next one',
    { asked: request.position, held },
  );
}

/** @throws Refusal unless what is held at the request's position is the same act. */
export function checkSameAct(request: SignRequest, held: HeldPosition, same: boolean): void {
  if (held.signBytes === '') {
    throw new Refusal(
      'bare-floor',
      'this position is the floor of the enrolment: nothing is signed at it; the node goes on with the next one',
      { asked: request.position, held },
    );
  }
  if (!same) {
    throw new Refusal(
      'position-conflict',
      'other bytes are recorded for this position; signing these as well would be a double sign',
      { asked: request.position, held },
    );
  }
}

/** Whether a height needs the node's own committed height to bear it out. */
export function leaps(request: SignRequest, heldHeight: number): boolean {
  return request.position.height > heldHeight + heightLeapMax;
}

/** @throws Refusal where the node has not committed the height before. */
export function checkLeap(request: SignRequest, held: SignPosition, committed: number | undefined): void {
  if (committed !== undefined && request.position.height <= committed + 1) return;
  throw new Refusal(
    'height-leap',
    committed === undefined
      ? `a height more than ${heightLeapMax} above the last one needs the node's own word, and its RPC does not answer; check [gaiad] rpc`
      : `a height more than ${heightLeapMax} above the last one, and the node's RPC says that it committed ${committed} only`,
    { asked: request.position, held },
  );
}
