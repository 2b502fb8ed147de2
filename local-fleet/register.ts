/** Registers a fleet's servers, each with a key and a certificate of its own, and an operator's certificate. */

import { existsSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createCsr } from '../certs-scripts/csr.ts';
import { ensureDeviceKey } from '../certs-scripts/device-key.ts';
import {
  registerCertificate,
  registerFleet as registerGroup,
  registerServer,
} from '../certs-scripts/register.ts';
import type { Operator } from '../operator/actions/operator.ts';
import { certificatePath, deviceKeyPath } from './data/node-home.ts';
import type { FleetServer } from './nodes/fleet-server.ts';

/** PEM files. */
export interface OperatorFiles {
  certificate: string;
  key: string;
}

/** cloud-rules/policies: listens to fleets and edits their shadows. */
const operatorPolicyName = 'beam-operator';

/** Who has a certificate keeps it; a registration that broke off half way is ended. */
export async function registerFleet(
  { iot }: Operator,
  fleet: string,
  servers: readonly FleetServer[],
  pki: string,
): Promise<OperatorFiles> {
  const operator = { certificate: join(pki, 'operator.pem'), key: join(pki, 'operator.key') };
  const without = servers.filter(({ root }) => !existsSync(join(root, certificatePath)));
  if (without.length > 0) await registerGroup(iot, fleet);
  await Promise.all([
    ...without.map(async ({ root, name, kind, zone, thing }) => {
      const csr = await createCsr(ensureDeviceKey(join(root, deviceKeyPath)), thing);
      const { certificatePem } = await registerServer(iot, { fleet, node: name, kind, zone }, csr);
      await writeWhole(join(root, certificatePath), certificatePem);
    }),
    (async () => {
      if (existsSync(operator.certificate)) return;
      const csr = await createCsr(ensureDeviceKey(operator.key), operatorPolicyName);
      const { certificatePem } = await registerCertificate(iot, csr, [operatorPolicyName]);
      await writeWhole(operator.certificate, certificatePem);
    })(),
  ]);
  return operator;
}

async function writeWhole(file: string, content: string): Promise<void> {
  await writeFile(`${file}.tmp`, content, { mode: 0o600 });
  await rename(`${file}.tmp`, file);
}
