/** Topics of fleet provisioning (AWS IoT developer guide, "Device provisioning MQTT API"). */

type Format = 'json' | 'cbor';
export type ProvisioningRequest =
  | { operation: 'create'; format: Format }
  | { operation: 'create-from-csr'; format: Format }
  | { operation: 'provision'; format: Format; templateName: string };

/** @returns undefined where the topic is none of a request */
export function parseProvisioningTopic(topic: string): ProvisioningRequest | undefined {
  if (!topic.startsWith('$aws/')) return undefined;
  const create = /^\$aws\/certificates\/(create|create-from-csr)\/(json|cbor)$/.exec(topic);
  if (create) {
    return {
      operation: create[1] === 'create' ? 'create' : 'create-from-csr',
      format: create[2] === 'cbor' ? 'cbor' : 'json',
    };
  }
  const provision = /^\$aws\/provisioning-templates\/([0-9A-Za-z_-]{1,36})\/provision\/(json|cbor)$/.exec(
    topic,
  );
  if (!provision?.[1]) return undefined;
  return {
    operation: 'provision',
    templateName: provision[1],
    format: provision[2] === 'cbor' ? 'cbor' : 'json',
  };
}
