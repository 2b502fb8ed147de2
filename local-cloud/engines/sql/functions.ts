/** Every function of AWS IoT's SQL that is here, and the names of those that are only on AWS. */
import type { SqlFunction } from './function.ts';
import { messageFunctions } from './functions-message.ts';
import { numberFunctions } from './functions-number.ts';
import { serviceFunctions } from './functions-service.ts';
import { textFunctions } from './functions-text.ts';
import { timeFunctions } from './functions-time.ts';
import { valueFunctions } from './functions-value.ts';

/** By lower-case name; AWS takes names in any case. */
export const functions: ReadonlyMap<string, SqlFunction> = new Map(
  Object.entries({
    ...messageFunctions,
    ...numberFunctions,
    ...serviceFunctions,
    ...textFunctions,
    ...timeFunctions,
    ...valueFunctions,
  }),
);

/** AWS Secrets Manager is not in the local cloud; Amazon Machine Learning is no more. */
export const functionsElsewhere: ReadonlySet<string> = new Set(['get_secret', 'machinelearning_predict']);
