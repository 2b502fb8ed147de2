/** `npm run simulate -- [--seed S] [--signs N] [--json] …`: see simulator/main.ts. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { bundleSimulator, simulatorEntries, simulatorFolder } from './simulator.js';

const folder = simulatorFolder();
await bundleSimulator(simulatorEntries, folder);
const { status } = spawnSync(process.execPath, [join(folder, 'main.js'), ...process.argv.slice(2)], {
  stdio: 'inherit',
  env: { ...process.env, AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' },
});
process.exit(status ?? 1);
