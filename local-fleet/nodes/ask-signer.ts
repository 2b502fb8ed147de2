/** Asks a signer how it is, over its control socket. */

import { connect } from 'node:net';
import { controlLineBytesMax, controlReply, type SignerStatus } from '../../protocol/signer-control.ts';

const timeoutMsDefault = 2_000;

/** @returns undefined where no signer answers there. */
export function askSigner(socket: string, timeoutMs = timeoutMsDefault): Promise<SignerStatus | undefined> {
  return new Promise((resolve) => {
    const connection = connect(socket);
    let text = '';
    const done = (status: SignerStatus | undefined) => {
      clearTimeout(timer);
      connection.destroy();
      resolve(status);
    };
    const timer = setTimeout(done, timeoutMs, undefined);
    connection.setEncoding('utf8');
    connection.on('error', () => done(undefined));
    connection.on('close', () => done(undefined));
    connection.on('connect', () => connection.write('{"type":"status"}\n'));
    connection.on('data', (chunk: string) => {
      text += chunk;
      const end = text.indexOf('\n');
      if (end >= 0) done(parse(text.slice(0, end)));
      else if (text.length > controlLineBytesMax) done(undefined);
    });
  });
}

function parse(line: string): SignerStatus | undefined {
  try {
    const reply = controlReply.safeParse(JSON.parse(line));
    return reply.success && reply.data.type === 'status' ? reply.data : undefined;
  } catch {
    return undefined;
  }
}
