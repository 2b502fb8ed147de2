/** Every function of AWS IoT's SQL that is here, and the names of those that are only on AWS. */
import type { SqlFunction } from './function.ts';
import { messageFunctions } from './functions-message.ts';
import { numberFunctions } from './functions-number.ts';
import { textFunctions } from './functions-text.ts';
import { timeFunctions } from './functions-time.ts';
import { valueFunctions } from './functions-value.ts';

/** By lower-case name; AWS takes names in any case. */
export const functions: ReadonlyMap<string, SqlFunction> = new Map(
  Object.entries({
    ...messageFunctions,
    ...numberFunctions,
    ...textFunctions,
    ...timeFunctions,
    ...valueFunctions,
  }),
);

export const functionsElsewhere: ReadonlySet<string> = new Set([
  'aws_lambda',
  'get_dynamodb',
  'get_mqtt_property',
  'get_registry_data',
  'get_secret',
  'get_user_properties',
  'machinelearning_predict',
  'md2',
  'sourceip',
]);
