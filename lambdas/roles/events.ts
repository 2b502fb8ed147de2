/** What invokes the roles function, as the rules of cloud-rules/ and the schedule send it. */

import * as z from 'zod';
import { parseThingName } from '../../protocol/names.ts';
import { desiredRoleName } from '../../protocol/shadows.ts';
import { roleRequestEvent } from '../../protocol/topics.ts';
import { isOwnToken } from '../aws/shadows.ts';
import type { DesiredSeen, Trigger } from './core/fleet.ts';

/** Anybody with the right to a shadow wrote these: nothing in them is sure to be what it should be. */
const side = z
  .object({ state: z.object({ desired: z.unknown() }).partial().optional(), metadata: z.unknown() })
  .partial()
  .optional();

const rolesEvent = z.discriminatedUnion('trigger', [
  roleRequestEvent.extend({
    trigger: z.literal('role-request'),
    fleet: z.string(),
    sender: z.string(),
    receivedAt: z.number(),
  }),
  z.object({
    trigger: z.literal('role-documents'),
    sender: z.string(),
    receivedAt: z.number(),
    clientToken: z.string().optional(),
    previous: side,
    current: side,
  }),
  z.object({ trigger: z.literal('role-deleted'), sender: z.string(), receivedAt: z.number() }),
  z.object({ trigger: z.literal('sweep') }),
]);

/** Which fleets to decide about, and why; or what is wrong with the event. */
export type Invocation =
  | { fleet: string; trigger: Exclude<Trigger, { kind: 'sweep' }> }
  | { fleet: undefined; trigger: { kind: 'sweep' } }
  | { fault: string };

export function parseEvent(event: unknown): Invocation {
  const parsed = rolesEvent.safeParse(event);
  if (!parsed.success) return { fault: z.prettifyError(parsed.error) };
  const { data } = parsed;
  if (data.trigger === 'sweep') return { fleet: undefined, trigger: { kind: 'sweep' } };
  const { sender, receivedAt } = data;
  const fleet = parseThingName(sender)?.fleet;
  if (fleet === undefined) return { fault: `${JSON.stringify(sender)} is not a thing of Beam` };
  if (data.trigger === 'role-request') {
    if (data.thing !== sender || data.fleet !== fleet) {
      return { fault: `${data.fleet}/${sender} speaks for ${data.thing}` };
    }
    const { trigger: _, fleet: __, sender: ___, receivedAt: ____, ...request } = data;
    return { fleet, trigger: { kind: 'request', request, receivedAt } };
  }
  const documents = data.trigger === 'role-documents' ? data : undefined;
  const [writtenBefore = 0, writtenAfter = 0] = [documents?.previous, documents?.current].map((one) =>
    roleWrittenAt(one?.metadata),
  );
  return {
    fleet,
    trigger: {
      kind: 'documents',
      thing: sender,
      receivedAt,
      own: isOwnToken(documents?.clientToken),
      // Earlier than before where a clock was set back.
      touched: writtenAfter !== writtenBefore,
      before: desiredSeen(documents?.previous?.state?.desired),
      after: desiredSeen(documents?.current?.state?.desired),
    },
  };
}

/** ms, in whole seconds: when a role shadow's desired role was last written, the same again or not. */
export function roleWrittenAt(metadata: unknown): number | undefined {
  return roleMetadata.safeParse(metadata).data;
}
const roleMetadata = z
  .object({ desired: z.object({ role: z.object({ timestamp: z.number() }) }) })
  .transform(({ desired }) => desired.role.timestamp * 1000);

/** `desired` of a role shadow has a reason, whoever wrote it. */
export function isExplained(desired: unknown): boolean {
  const { reason } = anyDesired.safeParse(desired).data ?? {};
  return reason !== undefined && reason !== null;
}

const writtenLengthMax = 64;
const anyDesired = z.object({ role: z.unknown(), epoch: z.unknown(), reason: z.unknown() }).partial();
const epochNumber = z.number().int().nonnegative();

/** `desired` of a role shadow, whatever was written there. */
export function desiredSeen(desired: unknown): DesiredSeen | undefined {
  const { role, epoch } = anyDesired.safeParse(desired).data ?? {};
  if (role === undefined || role === null) return undefined;
  const count = epochNumber.safeParse(epoch);
  return {
    role: desiredRoleName.safeParse(role).data,
    written: (typeof role === 'string' ? role : JSON.stringify(role)).slice(0, writtenLengthMax),
    epoch: count.success ? count.data : epoch === undefined || epoch === null ? undefined : -1,
  };
}
