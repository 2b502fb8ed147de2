/** A message to one client, past all subscriptions (AWS: SendDirectMessage). */

import type { Connection } from './connection.ts';
import type { Message } from './message.ts';

export type DirectOutcome = 'sent' | 'not connected' | 'not allowed' | 'not taken' | 'not acknowledged';

/** @param confirmMsMax how long to wait for the client's acknowledgement; left out: at QoS 0, for none */
export async function sendDirect(
  connection: Connection | undefined,
  message: Message,
  confirmMsMax: number | undefined,
): Promise<DirectOutcome> {
  const session = connection?.session;
  if (!connection || !session) return 'not connected';
  if (!connection.mayReceive(message.topic)) return 'not allowed';
  if (confirmMsMax === undefined) {
    connection.sendAtMostOnce(message, false);
    return 'sent';
  }
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve('not acknowledged'), confirmMsMax);
    const settle = (outcome: DirectOutcome) => {
      clearTimeout(timer);
      resolve(outcome);
    };
    if (!session.sendDirect(message, () => settle('sent'))) settle('not taken');
  });
}
