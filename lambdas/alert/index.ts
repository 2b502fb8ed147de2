/**
 * The alert function: tells every alert once. The function has one instance at a time (reservedConcurrency), so what that one
 * remembers is enough to recognise a repeat.
 */

import { log } from '../aws/log.ts';
import type { AlertChannel } from './channel.ts';
import { logChannel } from './channels/log.ts';
import { parseEvent } from './events.ts';
import { Seen } from './seen.ts';

const channels: readonly AlertChannel[] = [logChannel];
const seen = new Seen(10_000);

export async function handler(event: unknown): Promise<void> {
  const news = parseEvent(event, Date.now());
  if ('fault' in news) {
    log('error', 'An alert that is not one of ours is left out', { fault: news.fault });
    return;
  }
  const { id, alert } = news;
  if (id !== undefined && seen.has(id)) return;
  for (const channel of channels) await channel.tell(alert);
  if (id !== undefined) seen.add(id);
}
