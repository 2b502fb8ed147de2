/** Reason codes of MQTT 5 that AWS IoT Core sends (developer guide, "MQTT reason codes"). */
export const reasonCode = {
  success: 0x00,
  unspecifiedError: 0x80,
  malformedPacket: 0x81,
  protocolError: 0x82,
  clientIdentifierNotValid: 0x85,
  notAuthorized: 0x87,
  serverShuttingDown: 0x8b,
  badAuthenticationMethod: 0x8c,
  keepAliveTimeout: 0x8d,
  sessionTakenOver: 0x8e,
  topicFilterInvalid: 0x8f,
  topicNameInvalid: 0x90,
  receiveMaximumExceeded: 0x93,
  topicAliasInvalid: 0x94,
  packetTooLarge: 0x95,
  quotaExceeded: 0x97,
  administrativeAction: 0x98,
  qosNotSupported: 0x9b,
  subscriptionIdentifiersNotSupported: 0xa1,
} as const;
export type ReasonCode = (typeof reasonCode)[keyof typeof reasonCode];

/** MQTT 3.1.1's return codes of CONNACK. */
export const returnCode = { identifierRejected: 2, serverUnavailable: 3, notAuthorized: 5 } as const;
export type ReturnCode = (typeof returnCode)[keyof typeof returnCode];
