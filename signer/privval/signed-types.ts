/** CometBFT's SignedMsgType: what a signed message is. */
export const signedType = { prevote: 1, precommit: 2, proposal: 32 } as const;
