/** KMS by the AWS SDK. Imported late: a signer with its key in a file does not load it. */

import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { GetPublicKeyCommand, KMSClient, SignCommand } from '@aws-sdk/client-kms';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { type AwsClientOptions, agentOptions, configuredCredentials, connectMsMax } from '../aws-client.ts';
import { type KmsApi, kmsAlgorithm } from './kms.ts';

export function sdkKms(options: AwsClientOptions): KmsApi {
  const { region, endpoint } = options;
  const credentials = configuredCredentials(options);
  const client = new KMSClient({
    region,
    // It repeats nothing: what a failed call means is its caller's to judge.
    maxAttempts: 1,
    ...(endpoint ? { endpoint } : {}),
    ...(credentials ? { credentials: async () => await credentials() } : {}),
    requestHandler: new NodeHttpHandler({
      connectionTimeout: connectMsMax,
      httpAgent: new HttpAgent(agentOptions(options)),
      httpsAgent: new HttpsAgent(agentOptions(options)),
    }),
  });
  return {
    async publicKey(keyId, abortSignal) {
      const answer = await client.send(new GetPublicKeyCommand({ KeyId: keyId }), { abortSignal });
      return {
        arn: answer.KeyId,
        spec: answer.KeySpec,
        usage: answer.KeyUsage,
        algorithms: answer.SigningAlgorithms ?? [],
        spki: answer.PublicKey,
      };
    },
    async sign(keyId, message, abortSignal) {
      const command = new SignCommand({
        KeyId: keyId,
        Message: message,
        MessageType: 'RAW',
        SigningAlgorithm: kmsAlgorithm,
      });
      return (await client.send(command, { abortSignal })).Signature;
    },
  };
}
