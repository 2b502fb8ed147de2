/** `npm run bundle`: writes the distributable's bundles to `dist/`; with `bin/` and the packages they are all that runs. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { bundle, root } from './bundle.js';

const dist = join(root, 'dist');
rmSync(dist, { recursive: true, force: true });
await bundle(dist);
console.log(dist);
