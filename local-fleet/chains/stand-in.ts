/** Makes the stand-in's chain: local-chain/ itself knows how; it runs as a process from its bundle. */

import * as z from 'zod';
import { ChainMakeError, type ChainMaker } from './chain.ts';
import { runCommand } from './run-command.ts';

const madeByStandIn = z.object({
  standIn: z.literal(true),
  chainId: z.string(),
  keyFile: z.string(),
  homes: z.record(z.string(), z.object({ home: z.string(), nodeId: z.string() })),
});

/** @param script the bundle `stand-in-chain.js` */
export function standInChain(script: string): ChainMaker {
  const binary = [process.execPath, script];
  return {
    async make({ out, chainId, blockSeconds, nodes }) {
      const specs = nodes.map(({ name, kind, p2pPort, rpcPort }) => ({
        name,
        p2pPort,
        rpcPort,
        validator: kind === 'validator',
      }));
      const stdout = await runCommand([
        ...binary,
        'make',
        ...['--out', out],
        ...['--chain-id', chainId],
        ...['--block-seconds', String(blockSeconds)],
        ...['--nodes', JSON.stringify(specs)],
        '--json',
      ]);
      const made = madeByStandIn.parse(JSON.parse(stdout.trim().split('\n').at(-1) ?? ''));
      for (const { name } of nodes) {
        if (!made.homes[name]) throw new ChainMakeError(`the stand-in made no home for node ${name}`);
      }
      return {
        name: 'stand-in',
        standIn: true,
        binary,
        startArguments: [],
        chainId: made.chainId,
        consensusKeyFile: made.keyFile,
        homes: made.homes,
        others: [],
      };
    },
  };
}
