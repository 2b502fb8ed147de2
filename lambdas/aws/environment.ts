/** A function's environment, as lambdas/manifest.json sets it. */

import { fleetTableName } from '../../protocol/fleet-table.ts';
import { signTableName } from '../../protocol/sign-record.ts';

export function fleetTableOfEnvironment(): string {
  return process.env.BEAM_FLEET_TABLE || fleetTableName;
}

export function signTableOfEnvironment(): string {
  return process.env.BEAM_SIGN_TABLE || signTableName;
}

/** Bounds of one AWS call. A retry is safe: every write of Commander is conditional or repeats itself. */
export const callBounds = { maxAttempts: 3, connectMsMax: 1_000, answerMsMax: 2_000 };

/**
 * The SDK's clients within these bounds. Region, credentials and endpoints come from the SDK's own variables (on AWS set
 * AWS_ENDPOINT_URL_IOT_DATA_PLANE to the account's endpoint).
 */
export const clientSettings = {
  maxAttempts: callBounds.maxAttempts,
  requestHandler: {
    connectionTimeout: callBounds.connectMsMax,
    requestTimeout: callBounds.answerMsMax,
    // Without it the handler only warns, and waits on.
    throwOnRequestTimeout: true,
  },
};
