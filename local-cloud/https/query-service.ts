/** AWS's Query protocol (SNS, IAM): the input is a form with dotted names, the answer is XML. */

import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { JsonObject, JsonValue } from '../engines/json-tree.ts';
import { AwsError, typeIn } from '../registry/aws-error.ts';
import type { Answer, Handler } from './operation.ts';
import { answerWith, type SignedService } from './signed-service.ts';

const fieldsMax = 2_000;
const namePartsMax = 10;

/** A node of the input before it is known to be a list, a map, an object or a text. */
interface Node {
  text?: string;
  children: Map<string, Node>;
}

/** @throws AwsError where the form can't be an input */
export function parseForm(form: string): { action: string; input: JsonObject } {
  const root: Node = { children: new Map() };
  let fields = 0;
  for (const [name, text] of new URLSearchParams(form)) {
    const parts = name.split('.');
    if (++fields > fieldsMax || parts.length > namePartsMax) {
      throw new AwsError(
        400,
        'MalformedInput',
        `More than ${fieldsMax} fields, or a name of more than ${namePartsMax} parts`,
      );
    }
    let node = root;
    for (const part of parts) {
      let child = node.children.get(part);
      if (!child) {
        child = { children: new Map() };
        node.children.set(part, child);
      }
      node = child;
    }
    node.text = text;
  }
  const action = root.children.get('Action')?.text ?? '';
  root.children.delete('Action');
  root.children.delete('Version');
  return { action, input: objectOf(root) };
}

function objectOf(node: Node): JsonObject {
  return Object.fromEntries([...node.children].map(([name, child]) => [name, jsonOf(child)]));
}

/** `X.member.1`, `X.entry.1.key`, or an object's members. */
function jsonOf(node: Node): JsonValue {
  if (node.children.size === 0) return node.text ?? '';
  const list = node.children.get('member');
  if (list && node.children.size === 1) return inOrder(list).map(jsonOf);
  const map = node.children.get('entry');
  if (map && node.children.size === 1) {
    return Object.fromEntries(
      inOrder(map).map(({ children }) => {
        const key = children.get('key') ?? children.get('Name');
        const value = children.get('value') ?? children.get('Value');
        return [key?.text ?? '', value ? jsonOf(value) : ''];
      }),
    );
  }
  return objectOf(node);
}

function inOrder({ children }: Node): Node[] {
  return [...children].sort(([a], [b]) => Number(a) - Number(b)).map(([, child]) => child);
}

const escapes: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  '\r': '&#xD;',
};

function escaped(text: string): string {
  // XML 1.0 has no way to hold the other control characters.
  const held = text.replace(/\p{Cc}/gu, (character) =>
    /[\t\n\r\u{80}-\u{9f}]/u.test(character) ? character : '',
  );
  return held.replace(/[&<>"\r]/g, (character) => escapes[character] ?? '');
}

/** Arrays are lists of `member`, Maps are lists of `entry`. */
function toXml(name: string, value: unknown): string {
  if (value === undefined) return '';
  return `<${name}>${contentOf(value)}</${name}>`;
}

function contentOf(value: unknown): string {
  if (Array.isArray(value)) return value.map((element) => toXml('member', element)).join('');
  if (value instanceof Map) {
    return [...value]
      .map(([key, each]) => `<entry>${toXml('key', key)}${toXml('value', each)}</entry>`)
      .join('');
  }
  if (typeof value === 'object' && value !== null) {
    return Object.entries(value)
      .map(([key, member]) => toXml(key, member))
      .join('');
  }
  return escaped(String(value));
}

function formOf(request: IncomingMessage, body: Buffer): string {
  const query = request.url?.split('?')[1] ?? '';
  return request.method === 'GET' ? query : body.toString('utf8');
}

export function queryService(options: {
  service: string;
  /** Of the answers' XML. */
  namespace: string;
  bytesMax: number;
  /** What the service calls an input that does not fit. */
  invalidType: string;
  operations: ReadonlyMap<string, Handler>;
  isOpen?: (request: IncomingMessage) => boolean;
}): SignedService {
  const { service, namespace, bytesMax, invalidType, operations, isOpen } = options;
  const answerOf = (action: string, answer: Answer) =>
    `<${action}Response xmlns="${namespace}">${toXml(`${action}Result`, answer)}` +
    `<ResponseMetadata><RequestId>${randomUUID()}</RequestId></ResponseMetadata></${action}Response>`;
  return {
    bytesMax,
    ...(isOpen && { isOpen }),
    async handle(request, response, body) {
      const { action, input } = parseForm(formOf(request, body));
      const operation = operations.get(action);
      if (!operation) {
        throw new AwsError(
          400,
          'InvalidAction',
          `The local cloud does not have ${action || 'an operation without a name'} of ${service}`,
        );
      }
      answerWith(response, 200, 'text/xml', answerOf(action, await operation(input)));
    },
    refuse(response, error) {
      const type = error.status < 500 ? 'Sender' : 'Receiver';
      const detail = toXml('Error', { Type: type, Code: typeIn(error, invalidType), Message: error.message });
      const body = `<ErrorResponse xmlns="${namespace}">${detail}<RequestId>${randomUUID()}</RequestId></ErrorResponse>`;
      answerWith(response, error.status, 'text/xml', body);
    },
  };
}
