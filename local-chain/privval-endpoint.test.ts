import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create } from '@bufbuild/protobuf';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { encodeFrame, FrameDecoder } from '../signer/privval/frame.ts';
import { VoteSchema } from '../signer/privval/gen/types_pb.ts';
import {
  errorResponse,
  type PrivvalRequest,
  parseRequest,
  pingResponse,
  pubKeyResponse,
  signedVoteResponse,
} from '../signer/privval/messages.ts';
import { timestampOfMs } from './chain-json.ts';
import { NotSignedError } from './node-signer.ts';
import { PrivvalEndpoint } from './privval-endpoint.ts';

let folder: string;
let ending: AbortController;
let sockets: Socket[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'beam-privval-'));
  ending = new AbortController();
  sockets = [];
});
afterEach(() => {
  ending.abort();
  for (const socket of sockets) socket.destroy();
  rmSync(folder, { recursive: true, force: true });
});

const path = () => join(folder, 's.sock');
const quiet = { debug: () => undefined, info: () => undefined, error: () => undefined };
const publicKey = new Uint8Array(32).fill(1);
const timestamp = timestampOfMs(1_700_000_000_000);
const vote = create(VoteSchema, { type: 1, height: 1n, timestamp });
const signed = (fill: number) => signedVoteResponse({ timestamp, signature: new Uint8Array(64).fill(fill) });

async function listening(times: ConstructorParameters<typeof PrivvalEndpoint>[0]['times'] = {}) {
  const endpoint = new PrivvalEndpoint({
    path: path(),
    chainId: 'c-1',
    log: quiet,
    signal: ending.signal,
    times,
  });
  await endpoint.listen();
  return endpoint;
}

/** @param answer undefined: nothing is answered */
function dial(answer: (request: PrivvalRequest) => Uint8Array | undefined): {
  asked: string[];
  socket: Socket;
} {
  const socket = connect(path());
  sockets.push(socket);
  const decoder = new FrameDecoder();
  const asked: string[] = [];
  socket.on('data', (chunk) => {
    for (const message of decoder.push(chunk)) {
      const request = parseRequest(message);
      asked.push(request.kind);
      const bytes =
        request.kind === 'ping'
          ? pingResponse()
          : request.kind === 'pubKey'
            ? pubKeyResponse(publicKey)
            : answer(request);
      if (bytes) socket.write(encodeFrame(bytes));
    }
  });
  return { asked, socket };
}

test('no signer within the time: the reason that gaiad gives', async () => {
  const endpoint = await listening({ firstAccept: 30 });
  await expect(endpoint.firstPublicKey()).rejects.toThrow(
    "can't get pubkey: send: endpoint connection timed out",
  );
});

test('a refusal is final: it is not asked again', async () => {
  const endpoint = await listening();
  const { asked } = dial(() => errorResponse('signVote', 'stands by'));
  await expect(endpoint.signVote(vote)).rejects.toThrow(NotSignedError);
  await expect(endpoint.signVote(vote)).rejects.toThrow('returned error #1: stands by');
  expect(asked).toEqual(['signVote', 'signVote']);
});

test('a signer that hangs is dropped, and the next one gets the same request', async () => {
  const endpoint = await listening({ answer: 100 });
  const hanging = dial(() => undefined);
  await endpoint.publicKey();
  const waiting = dial(() => signed(2));
  const { signature } = await endpoint.signVote(vote);
  expect(signature).toEqual(new Uint8Array(64).fill(2));
  expect(hanging.asked).toEqual(['pubKey', 'signVote']);
  expect(waiting.asked).toEqual(['signVote']);
});

test('a second signer gets nothing while the first is there', async () => {
  const endpoint = await listening({ pingAfter: 40 });
  const first = dial(() => signed(1));
  await endpoint.publicKey();
  const second = dial(() => signed(2));
  await endpoint.signVote(vote);
  await new Promise((resolve) => setTimeout(resolve, 150));
  expect(first.asked.slice(0, 3)).toEqual(['pubKey', 'signVote', 'ping']);
  expect(second.asked).toEqual([]);
  first.socket.destroy();
  const { signature } = await endpoint.signVote(vote);
  expect(signature[0]).toBe(2);
});
