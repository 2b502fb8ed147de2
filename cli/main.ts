/** Entry of `beam.js`. */

import { runProgram } from './command-line.ts';
import { beamProgram } from './program.ts';

// Beam runs on Node 20 as long as its packages do (docs: pinned versions); users can't act on the SDK's warning.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';

// `beam … | head`: who reads no more has had enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

const code = await runProgram(beamProgram(), process.argv.slice(2));
// What a pipe has not taken yet would be lost by an exit at once.
await Promise.all(
  [process.stdout, process.stderr].map((stream) => new Promise((done) => stream.write('', done))),
);
process.exit(code);
