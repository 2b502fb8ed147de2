/**
 * AWS's list prices in US East (N. Virginia), in USD, without tiers for large volumes and without the free tier of an account's
 * first 12 months. Other regions are up to a third dearer. Where AWS changes one, change it here, with its date.
 *
 * - IoT Core, Lambda: aws.amazon.com/iot-core/pricing and /lambda/pricing, as cited by a published AWS sample on 2025-01-16; rules by
 *   notes of mid-2026. How they are counted: aws.amazon.com/iot-core/pricing/additional-details.
 * - DynamoDB on demand: aws.amazon.com/dynamodb/pricing/on-demand since 2024-11-01, as cited on 2025-07-21.
 * - CloudWatch: aws.amazon.com/cloudwatch/pricing, as cited on 2026-06-13.
 *
 * AWS's own pages load their figures by script, so that no stored copy of them has any: each was read from who cited it.
 */
export const pricesAsOf = '2026-06-13';

const million = 1e6;

export const prices = {
  iotMinute: 0.08 / million,
  /** Of up to 5 KB, in either direction. */
  iotMessage: 1.0 / million,
  /** Of a shadow or the registry, for each KB of the document. */
  iotOperation: 1.25 / million,
  iotRule: 0.15 / million,
  iotAction: 0.15 / million,
  lambdaRequest: 0.2 / million,
  lambdaGbSecond: 0.0000166667,
  /** Of up to 1 KB. */
  dynamoWrite: 0.625 / million,
  /** Consistent, of up to 4 KB. */
  dynamoRead: 0.125 / million,
  logGb: 0.5,
  alarm: 0.1,
} as const;

/** Each month, for good, in every account. */
export const alwaysFree = {
  lambdaRequests: 1_000_000,
  lambdaGbSeconds: 400_000,
  logGb: 5,
  alarms: 10,
} as const;
