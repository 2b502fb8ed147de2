/** The events that a node tells over its websocket, in the shapes of CometBFT 0.38 (types/events.go). */

import type { VoteJson } from './chain-json.ts';
import type { DecidedBlock } from './network-folder.ts';
import type { NodeChain, ProposalNews, RoundNews } from './node-chain.ts';

export const subscribable = ['NewBlock', 'NewBlockHeader', 'NewRound', 'CompleteProposal', 'Vote'] as const;
type EventName = (typeof subscribable)[number];

export interface RpcEvent {
  name: EventName;
  value: unknown;
  /** Of a block, by which its events can be found. */
  height: string | undefined;
}

/** @returns undefined where the query names none of the events that there are here. */
export function eventName(query: string): EventName | undefined {
  const name = /^\s*tm\.event\s*=\s*'(\w+)'\s*$/.exec(query)?.[1];
  return subscribable.find((known) => known === name);
}

/** @returns ends it */
export function onEvents({ news }: NodeChain, tell: (event: RpcEvent) => void): () => void {
  const block = ({ height, block: decided, blockId }: DecidedBlock) => {
    const result = { events: [], tx_results: null, app_hash: '' };
    const value = { block: decided, block_id: blockId, result_finalize_block: result };
    tell({ name: 'NewBlock', value, height: String(height) });
    tell({ name: 'NewBlockHeader', value: { header: decided.header }, height: String(height) });
  };
  const round = ({ height, round: number, proposer }: RoundNews) => {
    const step = { height: String(height), round: number, step: 'RoundStepNewRound' };
    tell({
      name: 'NewRound',
      value: { ...step, proposer: { address: proposer, index: 0 } },
      height: undefined,
    });
  };
  const proposal = ({ height, round: number, blockId }: ProposalNews) => {
    const step = { height: String(height), round: number, step: 'RoundStepPropose' };
    tell({ name: 'CompleteProposal', value: { ...step, block_id: blockId }, height: undefined });
  };
  const vote = (ours: VoteJson) => tell({ name: 'Vote', value: { Vote: ours }, height: undefined });
  news.on('block', block).on('round', round).on('proposal', proposal).on('vote', vote);
  return () => {
    news.off('block', block).off('round', round).off('proposal', proposal).off('vote', vote);
  };
}
