/** The time to the ready line with 10,000 things on disk: each with its certificate, policy and three shadows. */

import { join } from 'node:path';
import { openFolder } from '../../local-cloud/store/folder.ts';
import { openStore, pairKey } from '../../local-cloud/store/store.ts';
import type { Device } from './cloud.ts';

/** @param model its certificate stands for every thing's: they are read, not used */
export async function fillFolder(data: string, things: number, model: Device): Promise<void> {
  const disk = await openFolder(data);
  const store = await openStore(disk);
  const at = 1_700_000_000;
  for (let first = 0; first < things; first += 500) {
    await store.transact(() => {
      for (let index = first; index < Math.min(things, first + 500); index++) {
        const thing = `fleet-${index % 100}_node-${index}`;
        const certificateId = index.toString(16).padStart(64, '0');
        store.things.set(thing, {
          thingName: thing,
          thingId: `id-${index}`,
          attributes: { fleet: `fleet-${index % 100}`, kind: 'validator', zone: 'a' },
          version: 1,
        });
        store.certificates.set(certificateId, {
          certificateId,
          pem: model.cert,
          status: 'ACTIVE',
          issuedHere: true,
          createdAt: at,
          modifiedAt: at,
          notBefore: at,
          notAfter: at * 2,
        });
        store.thingPrincipals.set(pairKey(thing, certificateId), 1);
        store.principalThings.set(pairKey(certificateId, thing), 1);
        for (const shadow of ['role', 'gaiad', 'status']) {
          const state = { role: 'standby', epoch: 7, since: at, overlay: 'x'.repeat(200), height: index };
          const metadata = Object.fromEntries(Object.keys(state).map((key) => [key, { timestamp: at }]));
          store.shadows.set(pairKey(thing, shadow), {
            version: 3,
            desired: { state, metadata },
            reported: { state, metadata },
          });
        }
      }
    });
  }
  await disk.close();
}

export const dataOf = (folder: string) => join(folder, 'data');
