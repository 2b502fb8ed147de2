/** Why a signer does not sign. Each refusal is an error of its own code, shows old and new position, and says what to do. */

import { type SignPosition, showPosition } from '../protocol/sign-position.ts';

export type RefusalCode =
  // What was asked.
  | 'wrong-chain'
  | 'wrong-key'
  | 'sign-bytes'
  | 'invalid-request'
  | 'extension-misplaced'
  // Where it stands.
  | 'position-below'
  | 'position-conflict'
  | 'bare-floor'
  | 'height-leap'
  | 'locked'
  // Who asks.
  | 'not-enrolled'
  | 'standby'
  | 'claiming'
  | 'fenced'
  // Doubt.
  | 'doubt'
  | 'unvetted'
  | 'too-late'
  | 'stopping'
  | 'key-unavailable'
  // Trouble that needs a person.
  | 'record-missing'
  | 'record-unreadable'
  | 'record-replaced'
  | 'record-went-back'
  | 'record-conflict'
  | 'sealed'
  | 'other-incarnation'
  | 'foreign-signer'
  | 'other-enrolment'
  | 'other-machine'
  | 'state-lost'
  | 'state-unreadable'
  | 'state-unwritten';

export interface RefusedPositions {
  asked?: SignPosition | undefined;
  held?: SignPosition | undefined;
}

export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly code: RefusalCode;
  readonly asked: SignPosition | undefined;
  readonly held: SignPosition | undefined;

  constructor(
    code: RefusalCode,
    message: string,
    { asked, held, ...options }: RefusedPositions & ErrorOptions = {},
  ) {
    const positions = [
      ...(asked ? [`asked ${showPosition(asked)}`] : []),
      ...(held ? [`held ${showPosition(held)}`] : []),
    ];
    super(positions.length > 0 ? `${message} (${positions.join(', ')})` : message, options);
    this.code = code;
    this.asked = asked && plain(asked);
    this.held = held && plain(held);
  }
}

function plain({ height, round, step }: SignPosition): SignPosition {
  return { height, round, step };
}
