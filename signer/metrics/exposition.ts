/** The signer's metrics in Prometheus' text format, version 0.0.4. Times are in seconds, as its conventions have it. */

import type { SignerStatus } from '../../protocol/signer-control.ts';
import { signerSummary } from '../../protocol/topics.ts';
import { bucketsMs, type SignMeter } from './sign-meter.ts';

type Labels = Record<string, string | number>;
type Sample = readonly [labels: Labels, value: number];

const states = signerSummary.shape.state.options;

export function exposition(status: SignerStatus, meter: SignMeter): string {
  const { record, beat, released } = status;
  const since = (ms: number | undefined): Sample[] =>
    ms === undefined || !Number.isFinite(ms) ? [] : [[{}, ms / 1000]];
  const parts = [
    gauge('beam_signer_build_info', 'The version that runs; always 1.', [
      [{ version: status.version, node: process.version }, 1],
    ]),
    gauge(
      'beam_signer_state',
      'Who this signer is to the sign record: 1 for the state it is in.',
      states.map((state) => [{ state }, status.state === state ? 1 : 0]),
    ),
    gauge('beam_signer_epoch', 'The epoch that this signer holds or, on a standby, last saw.', [
      [{}, status.epoch],
    ]),
    gauge(
      'beam_signer_released_height',
      'Height of the last position that this machine released a signature for.',
      [[{}, released.height]],
    ),
    gauge('beam_signer_released_round', 'Its round.', [[{}, released.round]]),
    gauge('beam_signer_released_step', 'Its step: 1 proposal, 2 prevote, 3 precommit.', [
      [{}, released.step],
    ]),
    gauge(
      'beam_signer_record_height',
      'Height of the position in the sign record, as last read.',
      record ? [[{}, record.position.height]] : [],
    ),
    gauge(
      'beam_signer_record_age_seconds',
      'Time since the sign record was last read or written with success.',
      since(record?.ageMs),
    ),
    gauge(
      'beam_signer_beat_age_seconds',
      "Time for which the holder's beat has been still (on the holder: since it last raised it).",
      since(beat?.stillMs),
    ),
    gauge('beam_signer_node_connected', '1 while the node beside is connected.', [
      [{}, status.nodeConnected ? 1 : 0],
    ]),
    gauge(
      'beam_signer_node_request_age_seconds',
      'Time since the node last asked for a key or a signature.',
      since(status.sinceRequestMs),
    ),
    counter(
      'beam_signer_signed_total',
      'Signatures given, by kind.',
      [...meter.signedBy].map(([kind, count]) => [{ kind }, count]),
    ),
    counter(
      'beam_signer_refused_total',
      'Requests refused, by reason code (docs/alerts.md).',
      [...meter.refusedBy].map(([code, count]) => [{ code }, count]),
    ),
    histograms(meter),
    gauge('process_resident_memory_bytes', 'Resident memory of the signer process.', [
      [{}, process.memoryUsage.rss()],
    ]),
    counter('process_cpu_seconds_total', 'Processor time of the signer process.', [[{}, cpuSeconds()]]),
  ];
  return parts.join('');
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

function gauge(name: string, help: string, samples: readonly Sample[]): string {
  return family('gauge', name, help, samples);
}

function counter(name: string, help: string, samples: readonly Sample[]): string {
  return family('counter', name, help, samples);
}

function family(type: string, name: string, help: string, samples: readonly Sample[]): string {
  if (samples.length === 0) return '';
  return heading(type, name, help) + samples.map(([labels, value]) => line(name, labels, value)).join('');
}

function histograms(meter: SignMeter): string {
  const name = 'beam_signer_stage_seconds';
  const lines = [...meter.stages].flatMap(([stage, { counts, sumMs, count }]) => {
    let below = 0;
    const buckets = bucketsMs.map((bound, index) => {
      below += counts[index] ?? 0;
      return line(`${name}_bucket`, { stage, le: bound / 1000 }, below);
    });
    return [
      ...buckets,
      line(`${name}_bucket`, { stage, le: '+Inf' }, count),
      line(`${name}_sum`, { stage }, sumMs / 1000),
      line(`${name}_count`, { stage }, count),
    ];
  });
  return (
    heading('histogram', name, 'Time of each stage of a sign request, and of the whole (stage="request").') +
    lines.join('')
  );
}

function heading(type: string, name: string, help: string): string {
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
}

function line(name: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).map(([key, text]) => `${key}="${escaped(String(text))}"`);
  return `${name}${pairs.length > 0 ? `{${pairs.join(',')}}` : ''} ${value}\n`;
}

function escaped(text: string): string {
  return text.replace(/[\\"\n]/g, (char) => (char === '\n' ? '\\n' : `\\${char}`));
}
