/**
 * Short-lived credentials by this server's certificate, from the AWS IoT credentials provider. Renewed in the background at half
 * of their life, so that no signature waits for that; used to their end where the renewal fails meanwhile.
 */

import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import type { Credentials } from '../dynamodb/signed-request.ts';

export interface RoleAliasOptions {
  /** host:port of the credentials provider. */
  provider: string;
  roleAlias: string;
  /** The certificate must be attached to it. */
  thing: string;
  /** PEM files, read again for each renewal: a certificate that was renewed is used from then on. */
  certificate: string;
  key: string;
  ca?: string | undefined;
}

export interface ProviderAnswer {
  credentials: Credentials;
  /** ms since 1970, by the provider's clock. */
  expiresAtMs: number;
  /** The provider's time when it answered, ms since 1970; undefined where it told none. */
  dateMs: number | undefined;
}

export interface CredentialsClock {
  /** ms since 1970, as the machine has it. */
  wall(): number;
  /** ms, never set back. */
  now(): number;
  /** 0 to 1. */
  random(): number;
}

const systemClock: CredentialsClock = {
  wall: () => Date.now(),
  now: () => performance.now(),
  random: () => Math.random(),
};

const answerMsMax = 5_000;
const answerBytesMax = 16_384;
/** A request that is under way when they end would fail. */
const endMarginMs = 10_000;
const retryMsMin = 1_000;
const retryMsMax = 60_000;
/** While none are good nothing can be signed: a signer that came up before the network shall not wait long after it. */
const retryWithoutMsMax = 5_000;
/** AWS refuses what was signed by a clock that is 5 minutes off. */
const skewMsMax = 2 * 60_000;

/** Raised where the provider gave none. */
export class CredentialsError extends Error {
  override readonly name = 'CredentialsError';
}

interface Held {
  credentials: Credentials;
  /** By `now()`. */
  receivedAtMs: number;
  livesMs: number;
}

export class RoleAliasCredentials {
  readonly #ask: () => Promise<ProviderAnswer>;
  readonly #clock: CredentialsClock;
  #held: Held | undefined;
  #asking: Promise<void> | undefined;
  #failures = 0;
  #failure = '';
  #nextAskMs = Number.NEGATIVE_INFINITY;
  #skewMs = 0;

  constructor(options: RoleAliasOptions, ask = () => askProvider(options), clock = systemClock) {
    this.#ask = ask;
    this.#clock = clock;
  }

  /** @throws CredentialsError where there are none, and none are to be had */
  async get(): Promise<Credentials> {
    const age = this.#age();
    if (this.#held && age < this.#held.livesMs - endMarginMs) {
      if (age >= this.#held.livesMs / 2) void this.#renew().catch(() => undefined);
      return this.#held.credentials;
    }
    await this.#renew();
    if (!this.#held || this.#age() >= this.#held.livesMs) throw new CredentialsError(this.#failure);
    return this.#held.credentials;
  }

  /** What a person should hear of; undefined: nothing. */
  get trouble(): string | undefined {
    if (Math.abs(this.#skewMs) > skewMsMax) {
      const seconds = Math.round(Math.abs(this.#skewMs) / 1000);
      const which = this.#skewMs > 0 ? 'behind' : 'ahead of';
      return `This machine's clock is ${seconds} s ${which} AWS's, which refuses requests signed 5 minutes off: set it right (NTP).`;
    }
    if (this.#failures === 0) return undefined;
    const leftMs = this.#held ? Math.max(0, this.#held.livesMs - this.#age()) : 0;
    return `Credentials for the sign record can't be renewed (${this.#failure}); the ones in use end in ${Math.round(leftMs / 1000)} s.`;
  }

  #age(): number {
    return this.#held ? this.#clock.now() - this.#held.receivedAtMs : Number.POSITIVE_INFINITY;
  }

  /** One at a time; after a failure not before its pause is over. */
  #renew(): Promise<void> {
    if (this.#asking) return this.#asking;
    if (this.#clock.now() < this.#nextAskMs) {
      return this.#held ? Promise.resolve() : Promise.reject(new CredentialsError(this.#failure));
    }
    const asking = this.#askOnce().finally(() => {
      this.#asking = undefined;
    });
    this.#asking = asking;
    return asking;
  }

  async #askOnce(): Promise<void> {
    try {
      const { credentials, expiresAtMs, dateMs } = await this.#ask();
      const wallMs = this.#clock.wall();
      // Their life is counted by the provider's clock and our monotonic one: a wrong wall clock neither cuts nor stretches it.
      const livesMs = expiresAtMs - (dateMs ?? wallMs);
      this.#skewMs = dateMs === undefined ? 0 : dateMs - wallMs;
      this.#held = { credentials, receivedAtMs: this.#clock.now(), livesMs };
      this.#failures = 0;
      this.#nextAskMs = Number.NEGATIVE_INFINITY;
    } catch (error) {
      this.#failure = error instanceof Error ? error.message : String(error);
      const pauseMax = this.#age() < (this.#held?.livesMs ?? 0) ? retryMsMax : retryWithoutMsMax;
      const pauseMs = Math.min(pauseMax, retryMsMin * 2 ** Math.min(this.#failures, 10));
      this.#failures += 1;
      this.#nextAskMs = this.#clock.now() + pauseMs * (0.5 + this.#clock.random() / 2);
      throw new CredentialsError(this.#failure, { cause: error });
    }
  }
}

/** @throws Error that tells what was refused, and what to look at */
export async function askProvider(options: RoleAliasOptions): Promise<ProviderAnswer> {
  const { provider, roleAlias, thing, certificate, key, ca } = options;
  const colon = provider.lastIndexOf(':');
  const { status, date, text } = await new Promise<{ status: number; date: string; text: string }>(
    (resolve, reject) => {
      const asking = request({
        host: provider.slice(0, colon),
        port: Number(provider.slice(colon + 1)),
        path: `/role-aliases/${encodeURIComponent(roleAlias)}/credentials`,
        headers: { 'x-amzn-iot-thingname': thing },
        cert: readFileSync(certificate),
        key: readFileSync(key),
        ...(ca === undefined ? {} : { ca: readFileSync(ca) }),
        agent: false,
        signal: AbortSignal.timeout(answerMsMax),
      });
      asking.on('error', reject);
      asking.on('response', (response: IncomingMessage) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('error', reject);
        response.on('data', (chunk: string) => {
          text += chunk;
          if (text.length > answerBytesMax) asking.destroy(new Error('the answer is too long'));
        });
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, date: response.headers.date ?? '', text }),
        );
      });
      asking.end();
    },
  );
  if (status !== 200) {
    throw new Error(
      `${provider} gives ${thing} no credentials for ${roleAlias}: ${status} ${messageIn(text)}; has the certificate the policy beam-validator, and is it this thing's?`,
    );
  }
  const dateMs = Date.parse(date);
  return { ...parseAnswer(text), dateMs: Number.isNaN(dateMs) ? undefined : dateMs };
}

function messageIn(text: string): string {
  try {
    return String((Object(JSON.parse(text)) as { message?: unknown }).message ?? '');
  } catch {
    return '';
  }
}

function parseAnswer(text: string): Omit<ProviderAnswer, 'dateMs'> {
  let given: Record<string, unknown> = {};
  try {
    given = Object((Object(JSON.parse(text)) as { credentials?: unknown }).credentials);
  } catch {
    // Told below.
  }
  const { accessKeyId, secretAccessKey, sessionToken, expiration } = given;
  const expiresAtMs = Date.parse(String(expiration));
  if (
    typeof accessKeyId !== 'string' ||
    typeof secretAccessKey !== 'string' ||
    typeof sessionToken !== 'string' ||
    Number.isNaN(expiresAtMs)
  ) {
    throw new Error("the credentials provider's answer has no credentials in it");
  }
  return { credentials: { accessKeyId, secretAccessKey, sessionToken }, expiresAtMs };
}
