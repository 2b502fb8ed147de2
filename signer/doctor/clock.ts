/** The machine's clock, against two that it does not set: the cloud's, and the chain's. */

import { readFileSync } from 'node:fs';
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { Finding } from './finding.ts';

const answerMsMax = 5000;
/** AWS refuses signatures beyond 5 minutes; a validator's vote beyond a block time harms the chain's own time. */
const offMsWarn = 2000;
const offMsCritical = 60_000;
/** A block's time is a median of the votes before it, so it is some block times old when it is read. */
const blockAgeMsWarn = 60_000;

/** @returns ms that our clock is ahead, give or take `within`; undefined: no answer, or no date in it */
export async function cloudOffset(
  url: string,
  ca: string | undefined,
  now: () => number,
): Promise<{ aheadMs: number; withinMs: number } | undefined> {
  const sentMs = now();
  const date = await dateOf(url, ca);
  const answeredMs = now();
  if (date === undefined) return undefined;
  // The header has whole seconds, cut off.
  return {
    aheadMs: (sentMs + answeredMs) / 2 - (date + 500),
    withinMs: 500 + (answeredMs - sentMs) / 2,
  };
}

function dateOf(url: string, ca: string | undefined): Promise<number | undefined> {
  return new Promise((resolve) => {
    const end = (date?: string) => {
      const ms = Date.parse(date ?? '');
      resolve(Number.isNaN(ms) ? undefined : ms);
    };
    try {
      const https = url.startsWith('https:');
      const options = { method: 'GET', timeout: answerMsMax, agent: false as const };
      const request = https
        ? requestHttps(url, { ...options, ...(ca ? { ca: readFileSync(ca) } : {}) })
        : requestHttp(url, options);
      request.on('response', (response) => {
        response.resume();
        end(response.headers.date);
      });
      request.on('timeout', () => request.destroy());
      request.on('error', () => end());
      request.on('close', () => end());
      request.end();
    } catch {
      end();
    }
  });
}

export function clockFindings(
  offset: { aheadMs: number; withinMs: number } | undefined,
  blockTimeMs: number | undefined,
  nowMs: number,
): Finding[] {
  return [cloudFinding(offset), chainFinding(blockTimeMs, nowMs)];
}

function cloudFinding(offset: { aheadMs: number; withinMs: number } | undefined): Finding {
  const check = 'clock';
  if (!offset) {
    return {
      check,
      level: 'unknown',
      text: 'no cloud tells the time here',
      remedy: 'check [cloud] in config.toml and the network; without a cloud, compare with chronyc tracking',
    };
  }
  const off = Math.abs(offset.aheadMs) - offset.withinMs;
  const text = `this clock is ${Math.round(Math.abs(offset.aheadMs))} ms ${offset.aheadMs > 0 ? 'ahead of' : 'behind'} the cloud's, give or take ${Math.round(offset.withinMs)}`;
  if (off < offMsWarn) return { check, level: 'well', text };
  return {
    check,
    level: off > offMsCritical ? 'critical' : 'warning',
    text,
    remedy: 'run chrony or systemd-timesyncd; AWS refuses requests of a clock that is 5 minutes off',
  };
}

function chainFinding(blockTimeMs: number | undefined, nowMs: number): Finding {
  const check = 'clock';
  if (blockTimeMs === undefined) {
    return {
      check,
      level: 'unknown',
      text: 'the node tells no block time',
      remedy: 'start gaiad, and check [gaiad] rpc',
    };
  }
  const ageMs = nowMs - blockTimeMs;
  const text = `the last block's time is ${(Math.abs(ageMs) / 1000).toFixed(1)} s ${ageMs < 0 ? 'AFTER' : 'before'} this clock`;
  if (ageMs < -offMsWarn) {
    return { check, level: 'critical', text, remedy: 'this clock is behind the chain: set it right' };
  }
  if (ageMs > blockAgeMsWarn) {
    return {
      check,
      level: 'warning',
      text,
      remedy: 'the chain stands, the node is behind, or this clock is ahead: look at which',
    };
  }
  return { check, level: 'well', text };
}
