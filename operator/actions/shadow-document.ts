/** Reads and writes one named shadow over HTTPS. */

import {
  ConflictException,
  GetThingShadowCommand,
  ResourceNotFoundException,
  UpdateThingShadowCommand,
} from '@aws-sdk/client-iot-data-plane';
import * as z from 'zod';
import type { ShadowName } from '../../protocol/shadows.ts';
import { ActionError } from './errors.ts';
import type { Operator } from './operator.ts';

const json = z.json();
const document = z.object({
  state: z.object({ desired: json, reported: json, delta: json }).partial().optional(),
  version: z.number().int(),
  timestamp: z.number().optional(),
});

export type Json = z.infer<typeof json>;
export interface ShadowState {
  version: number;
  desired?: Json | undefined;
  reported?: Json | undefined;
  delta?: Json | undefined;
}

/** @returns undefined where there is none. */
export async function readShadow(
  { iotData }: Operator,
  thing: string,
  shadow: ShadowName,
): Promise<ShadowState | undefined> {
  try {
    const { payload } = await iotData.send(
      new GetThingShadowCommand({ thingName: thing, shadowName: shadow }),
    );
    const { state, version } = document.parse(JSON.parse(Buffer.from(payload ?? []).toString('utf8')));
    return { version, ...state };
  } catch (error) {
    if (error instanceof ResourceNotFoundException) return undefined;
    throw error;
  }
}

export interface ShadowUpdate {
  state: { desired: Json };
  version?: number;
}

/** @throws ActionError where `version` is not the shadow's any more. */
export async function writeShadow(
  { iotData }: Operator,
  thing: string,
  shadow: ShadowName,
  update: ShadowUpdate,
): Promise<void> {
  try {
    await iotData.send(
      new UpdateThingShadowCommand({
        thingName: thing,
        shadowName: shadow,
        payload: Buffer.from(JSON.stringify(update)),
      }),
    );
  } catch (error) {
    if (!(error instanceof ConflictException)) throw error;
    throw new ActionError(
      `the ${shadow} shadow of ${thing} is not at version ${update.version} any more: look at it, and edit again`,
      { cause: error },
    );
  }
}
