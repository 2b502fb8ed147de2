#!/usr/bin/env node
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const inCheckout = existsSync(join(root, 'cli/main.ts'));
const bundles = inCheckout ? await (await import('../build/bundle.js')).currentBundles() : join(root, 'dist');

// Where a fleet of this checkout keeps its data, from whichever folder the command is run.
if (inCheckout) process.env.BEAM_CHECKOUT ??= root;
await import(pathToFileURL(join(bundles, 'beam.js')).href);
