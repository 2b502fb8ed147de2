/** What of a signer's state a person should hear of: pure. */

import type { SignerStatus } from '../../protocol/signer-control.ts';
import type { Trouble } from '../alerts/plan-alerts.ts';

const downMsMin = 5_000;
const recordSilentMsMin = 5_000;

export function signerTroubles(
  signer: { up: boolean; downForMs: number; status: SignerStatus | undefined } | undefined,
  /** The chain id that the node beside it tells. */
  network: string | undefined,
  signs = true,
): Trouble[] {
  if (!signer) return [];
  if (!signs) return dryRunTroubles(signer);
  const { up, downForMs, status } = signer;
  if (!up) {
    if (downForMs < downMsMin) return [];
    return [
      {
        kind: 'signer-down',
        severity: 'critical',
        text: 'The signer of this server does not answer its control socket: nothing is signed here. Start it, or look at its log.',
      },
    ];
  }
  if (!status) return [];
  const troubles: Trouble[] = [];
  const reason = status.reason ?? 'see its log';
  if (status.state === 'refusing') {
    troubles.push({
      kind: alertOf(status.code ?? ''),
      severity: 'critical',
      text: `The signer of this server refuses to sign: ${reason}`,
    });
  } else if (status.state === 'unenrolled') {
    troubles.push({
      kind: 'signer-refuses',
      severity: 'warning',
      text: 'The signer of this server is not enrolled and signs nothing: run `beam signer enrol` on one server of the fleet, `beam signer join` on the others.',
    });
  }
  if (network !== undefined && network !== status.chainId && troubles.length === 0) {
    troubles.push({
      kind: 'signer-refuses',
      severity: 'critical',
      text: `The node is of chain ${network}, its signer of ${status.chainId}: nothing is signed here. Correct signer.chain_id in config.toml, or gaiad.home.`,
    });
  }
  const silentMs = status.record?.ageMs ?? 0;
  if (
    status.guard === 'record' &&
    silentMs >= recordSilentMsMin &&
    !troubles.some(({ kind }) => kind === 'record-trouble')
  ) {
    troubles.push({
      kind: 'record-trouble',
      severity: 'critical',
      text: 'The sign record can not be reached from this server: nothing is signed here until it can. Look at the network and at DynamoDB.',
    });
  }
  if (status.warning !== undefined && troubles.length === 0) {
    troubles.push({ kind: 'record-trouble', severity: 'warning', text: status.warning });
  }
  return troubles;
}

/** A dry-run never holds anything up: it can only miss what it was to look at. */
function dryRunTroubles({ up, downForMs }: { up: boolean; downForMs: number }): Trouble[] {
  if (up || downForMs < downMsMin) return [];
  const text =
    'The dry-run signer of this server does not answer, so nothing is compared with the chain: start it with `beam signer start`, or look at its log.';
  return [{ kind: 'signer-down', severity: 'warning', text }];
}

/** @param code the signer's refusal code */
function alertOf(code: string): Trouble['kind'] {
  if (code === 'foreign-signer') return 'foreign-signer';
  return code.startsWith('record-') ? 'record-trouble' : 'signer-refuses';
}
