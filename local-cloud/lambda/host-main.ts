/** Entry of `lambda-host.js`: the main thread keeps the instances, each worker thread is one. */
import { isMainThread } from 'node:worker_threads';
import { runHost } from './host.ts';
import { runInstance } from './instance.ts';

if (isMainThread) runHost(new URL(import.meta.url));
else void runInstance();
