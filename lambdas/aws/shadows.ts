/** Named shadows over HTTPS. */

import {
  ConflictException,
  GetThingShadowCommand,
  type IoTDataPlaneClient,
  ResourceNotFoundException,
  UpdateThingShadowCommand,
} from '@aws-sdk/client-iot-data-plane';
import * as z from 'zod';
import type { ShadowName } from '../../protocol/shadows.ts';

/** A shadow's document, its states still unparsed: anybody may have written them. */
const document = z.object({
  state: z.object({ desired: z.unknown(), reported: z.unknown() }).partial().optional(),
  metadata: z.unknown(),
  version: z.number().int(),
});
export interface ShadowDocument {
  version: number;
  desired: unknown;
  reported: unknown;
  metadata: unknown;
}

/** Marks Commander's own writes, so that the events of these are told from operators' edits. */
const tokenPrefix = 'commander-';
export function isOwnToken(clientToken: string | undefined): boolean {
  return clientToken?.startsWith(tokenPrefix) ?? false;
}

export class Shadows {
  readonly #client: IoTDataPlaneClient;

  constructor(client: IoTDataPlaneClient) {
    this.#client = client;
  }

  /** @returns undefined where there is none. */
  async get(thing: string, shadow: ShadowName): Promise<ShadowDocument | undefined> {
    try {
      const { payload } = await this.#client.send(
        new GetThingShadowCommand({ thingName: thing, shadowName: shadow }),
      );
      const { state, version, metadata } = document.parse(
        JSON.parse(Buffer.from(payload ?? []).toString('utf8')),
      );
      return { version, desired: state?.desired, reported: state?.reported, metadata };
    } catch (error) {
      if (error instanceof ResourceNotFoundException) return undefined;
      throw error;
    }
  }

  /**
   * Merges into `desired`, where the shadow is still at `version`.
   * @param version undefined where there was no shadow
   * @returns false where another writer was first
   */
  async write(
    thing: string,
    shadow: ShadowName,
    desired: object,
    version: number | undefined,
    as: 'commander' | 'request' = 'commander',
  ): Promise<boolean> {
    const token = crypto.randomUUID().slice(0, 13);
    const body = {
      state: { desired },
      clientToken: `${as === 'commander' ? tokenPrefix : 'request-'}${token}`,
      ...(version === undefined ? {} : { version }),
    };
    try {
      await this.#client.send(
        new UpdateThingShadowCommand({
          thingName: thing,
          shadowName: shadow,
          payload: Buffer.from(JSON.stringify(body)),
        }),
      );
      return true;
    } catch (error) {
      if (error instanceof ConflictException) return false;
      throw error;
    }
  }
}

/** Runs `task` on all, at most `width` at a time, and keeps the order. */
export async function inParallel<T, R>(
  all: readonly T[],
  width: number,
  task: (one: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  for (let from = 0; from < all.length; from += width) {
    results.push(...(await Promise.all(all.slice(from, from + width).map(task))));
  }
  return results;
}
