/** What a person asks about signers: how one is, and what one or several have released. */

import { connect } from 'node:net';
import {
  controlLineBytesMax,
  controlReply,
  type JournalEntry,
  type SignerStatus,
} from '../protocol/signer-control.ts';
import { readJournalIn } from './disk/journal.ts';
import { readHome } from './home.ts';

const answerMsMax = 2000;

/** @returns undefined where no signer answers for this home. @throws ConfigError */
export function signerStatus(home: string): Promise<SignerStatus | undefined> {
  const { controlSocket } = readHome(home);
  return new Promise((resolve) => {
    const socket = connect(controlSocket);
    let text = '';
    const end = (status: SignerStatus | undefined) => {
      socket.destroy();
      resolve(status);
    };
    socket.setEncoding('utf8');
    socket.setTimeout(answerMsMax, () => end(undefined));
    socket.on('error', () => end(undefined));
    socket.on('close', () => end(undefined));
    socket.on('connect', () => socket.write('{"type":"status"}\n'));
    socket.on('data', (chunk: string) => {
      text += chunk;
      if (text.includes('\n')) end(parse(text.slice(0, text.indexOf('\n'))));
      else if (text.length > controlLineBytesMax) end(undefined);
    });
  });
}

function parse(line: string): SignerStatus | undefined {
  try {
    const reply = controlReply.parse(JSON.parse(line));
    return reply.type === 'status' ? reply : undefined;
  } catch {
    return undefined;
  }
}

/** Every signature that this home's signer released, as far as its journal goes back; oldest first. @throws ConfigError */
export function readJournal(home: string): JournalEntry[] {
  return readJournalIn(readHome(home).stateDir);
}

export interface JournalConflict {
  chainId: string;
  height: number;
  round: number;
  type: JournalEntry['type'];
  /** The different block ids (empty: nil), each with the things that released it. */
  released: { blockId: string; things: string[] }[];
}

/** Positions at which more than one block was signed, within one journal or between any two. */
export function compareJournals(stateDirs: string[]): JournalConflict[] {
  const positions = new Map<string, JournalEntry[]>();
  for (const entry of stateDirs.flatMap(readJournalIn)) {
    const position = `${entry.chainId}/${entry.height}/${entry.round}/${entry.type}`;
    const entries = positions.get(position);
    if (entries) entries.push(entry);
    else positions.set(position, [entry]);
  }
  return [...positions.values()].flatMap((entries) => {
    const [first] = entries;
    const blockIds = [...new Set(entries.map(({ blockId }) => blockId))];
    if (!first || blockIds.length < 2) return [];
    const { chainId, height, round, type } = first;
    const released = blockIds.map((blockId) => ({
      blockId,
      things: [...new Set(entries.filter((entry) => entry.blockId === blockId).map(({ thing }) => thing))],
    }));
    return [{ chainId, height, round, type, released }];
  });
}
