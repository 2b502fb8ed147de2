/** KMS by the AWS SDK. Imported late: a signer with its key in a file does not load it. */

import { GetPublicKeyCommand, KMSClient, SignCommand } from '@aws-sdk/client-kms';
import { type AwsClientOptions, awsClientConfig } from '../aws-client.ts';
import { type KmsApi, kmsAlgorithm } from './kms.ts';

export function sdkKms(options: AwsClientOptions): KmsApi {
  const client = new KMSClient(awsClientConfig(options));
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
