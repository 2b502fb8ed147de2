/** An operator's edit of a `role` shadow, as the AWS console or any SDK would make it. */

import { type IoTDataPlaneClient, UpdateThingShadowCommand } from '@aws-sdk/client-iot-data-plane';
import type { DesiredRoleName } from '../protocol/shadows.ts';

export async function editRole(
  client: IoTDataPlaneClient,
  thing: string,
  role: DesiredRoleName,
): Promise<void> {
  await client.send(
    new UpdateThingShadowCommand({
      thingName: thing,
      shadowName: 'role',
      payload: Buffer.from(JSON.stringify({ state: { desired: { role } } })),
    }),
  );
}
