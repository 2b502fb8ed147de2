/**
 * Provisioning templates (AWS IoT developer guide, "Provisioning templates"): parsed once, resolved with a device's
 * parameters into what is to be made. What the resolver does not know is an error at parsing, never ignored later.
 */

import * as z from 'zod';
import { isObject, type JsonObject, type JsonValue, parseJson } from './json-tree.ts';
import { resolveExpression, type TemplateScope } from './provisioning-expression.ts';

export class MalformedTemplate extends Error {
  override name = 'MalformedTemplate';
}

/** AWS: a template's body has at most 10,240 bytes. */
const bodyBytesMax = 10_240;

/** AWS's RegisterThing: a parameter's name has up to 2,048 characters, its value up to 4,096. */
export const templateParameters = z.record(z.string().max(2_048), z.string().max(4_096)).default({});

export const certificateIdParameter = 'AWS::IoT::Certificate::Id';

const json = z.json().transform((value) => value as JsonValue);
const override = z.enum(['DO_NOTHING', 'REPLACE', 'FAIL']);
const overrideOrMerge = z.enum(['DO_NOTHING', 'REPLACE', 'FAIL', 'MERGE']);

const thingResource = z.strictObject({
  Type: z.literal('AWS::IoT::Thing'),
  Properties: z.strictObject({
    ThingName: json,
    AttributePayload: z.record(z.string(), json).optional(),
    ThingTypeName: json.optional(),
    ThingGroups: z.array(json).optional(),
  }),
  OverrideSettings: z
    .strictObject({
      AttributePayload: overrideOrMerge.optional(),
      ThingTypeName: override.optional(),
      ThingGroups: overrideOrMerge.optional(),
    })
    .optional(),
});
const certificateResource = z.strictObject({
  Type: z.literal('AWS::IoT::Certificate'),
  Properties: z.strictObject({
    CertificateId: json.optional(),
    CertificateSigningRequest: json.optional(),
    CertificatePem: json.optional(),
    CACertificatePem: json.optional(),
    Status: json.optional(),
  }),
  OverrideSettings: z.strictObject({ Status: override.optional() }).optional(),
});
const policyResource = z.strictObject({
  Type: z.literal('AWS::IoT::Policy'),
  Properties: z
    .strictObject({ PolicyName: json.optional(), PolicyDocument: json.optional() })
    .refine(
      (properties) => (properties.PolicyName === undefined) !== (properties.PolicyDocument === undefined),
      'must have either PolicyName or PolicyDocument',
    ),
});
const templateSchema = z.strictObject({
  Parameters: z
    .record(z.string(), z.strictObject({ Type: z.literal('String'), Default: z.string().optional() }))
    .default({}),
  Mappings: z.record(z.string(), z.record(z.string(), z.record(z.string(), json))).default({}),
  Resources: z.record(
    z.string(),
    z.discriminatedUnion('Type', [thingResource, certificateResource, policyResource]),
  ),
  DeviceConfiguration: z.record(z.string(), json).optional(),
});
export type ProvisioningTemplate = z.infer<typeof templateSchema>;
type Override = z.infer<typeof overrideOrMerge>;

export interface ProvisioningPlan {
  thing?: {
    thingName: string;
    thingTypeName?: string;
    attributes: Record<string, string>;
    groups: string[];
    override: { attributes: Override; type: Override; groups: Override };
  };
  certificate?: {
    from: { id: string } | { csr: string } | { pem: string; caPem?: string };
    status: 'ACTIVE' | 'INACTIVE';
    override: Override;
  };
  policies: ({ name: string } | { document: string })[];
  deviceConfiguration: JsonObject;
}

/** @throws MalformedTemplate that names each place at fault */
export function parseTemplate(text: string): ProvisioningTemplate {
  const bytes = Buffer.byteLength(text);
  if (bytes > bodyBytesMax) {
    throw new MalformedTemplate(`The template body has ${bytes} bytes; the maximum is ${bodyBytesMax}`);
  }
  let body: unknown;
  try {
    body = parseJson(text);
  } catch (error) {
    throw new MalformedTemplate(`The template body is not JSON: ${String(error)}`);
  }
  const parsed = templateSchema.safeParse(body);
  if (!parsed.success) {
    const places = parsed.error.issues.map(
      (issue) => `${issue.path.join('.') || 'template'}: ${issue.message}`,
    );
    throw new MalformedTemplate(`The template body is malformed: ${places.join('; ')}`);
  }
  const kinds = Object.values(parsed.data.Resources).map(({ Type }) => Type);
  for (const kind of ['AWS::IoT::Thing', 'AWS::IoT::Certificate'] as const) {
    if (kinds.filter((each) => each === kind).length > 1) {
      throw new MalformedTemplate(`The template has more than one resource of type ${kind}`);
    }
  }
  return parsed.data;
}

/**
 * @param parameters of the device, and `AWS::IoT::Certificate::…` of its certificate
 * @param pseudo parameters such as `AWS::Region`, which no device can set
 * @throws MalformedTemplate where a parameter is missing, or an expression has no value
 */
export function resolveTemplate(
  template: ProvisioningTemplate,
  parameters: ReadonlyMap<string, string>,
  pseudo: ReadonlyMap<string, string>,
): ProvisioningPlan {
  const values = new Map(pseudo);
  for (const [name, { Default }] of Object.entries(template.Parameters)) {
    const value = parameters.get(name) ?? Default;
    if (value === undefined) throw new MalformedTemplate(`The parameter ${name} is missing`);
    values.set(name, value);
  }
  const id = parameters.get(certificateIdParameter);
  if (id !== undefined) values.set(certificateIdParameter, id);
  const scope: TemplateScope = { parameters: values, mappings: template.Mappings };
  const text = (value: JsonValue, place: string): string => {
    const resolved = resolve(value, scope, place);
    if (typeof resolved === 'string') return resolved;
    throw new MalformedTemplate(`${place} must be a string`);
  };
  const plan: ProvisioningPlan = { policies: [], deviceConfiguration: {} };
  for (const [name, resource] of Object.entries(template.Resources)) {
    const at = (property: string) => `Resources.${name}.${property}`;
    switch (resource.Type) {
      case 'AWS::IoT::Thing': {
        const { ThingName, ThingTypeName, AttributePayload = {}, ThingGroups = [] } = resource.Properties;
        const settings = resource.OverrideSettings ?? {};
        plan.thing = {
          thingName: text(ThingName, at('ThingName')),
          ...(ThingTypeName === undefined ? {} : { thingTypeName: text(ThingTypeName, at('ThingTypeName')) }),
          attributes: Object.fromEntries(
            Object.entries(AttributePayload).map(([key, value]) => [key, text(value, at(key))]),
          ),
          groups: ThingGroups.map((group) => text(group, at('ThingGroups'))),
          override: {
            attributes: settings.AttributePayload ?? 'REPLACE',
            type: settings.ThingTypeName ?? 'REPLACE',
            groups: settings.ThingGroups ?? 'REPLACE',
          },
        };
        break;
      }
      case 'AWS::IoT::Certificate':
        plan.certificate = {
          from: certificateSource(resource.Properties, text, name),
          status: certificateStatus(resource.Properties.Status, text, at('Status')),
          override: resource.OverrideSettings?.Status ?? 'REPLACE',
        };
        break;
      case 'AWS::IoT::Policy': {
        const { PolicyName, PolicyDocument } = resource.Properties;
        if (PolicyName !== undefined) plan.policies.push({ name: text(PolicyName, at('PolicyName')) });
        if (PolicyDocument !== undefined) {
          const document = resolve(PolicyDocument, scope, at('PolicyDocument'));
          plan.policies.push({
            document: typeof document === 'string' ? document : JSON.stringify(document),
          });
        }
      }
    }
  }
  const configuration = resolve(template.DeviceConfiguration ?? {}, scope, 'DeviceConfiguration');
  if (isObject(configuration)) plan.deviceConfiguration = configuration;
  return plan;
}

function resolve(value: JsonValue, scope: TemplateScope, place: string): JsonValue {
  const resolved = resolveExpression(value, scope);
  if ('fault' in resolved) throw new MalformedTemplate(`${place}: ${resolved.fault}`);
  return resolved.value;
}

type Text = (value: JsonValue, place: string) => string;

function certificateSource(
  properties: z.infer<typeof certificateResource>['Properties'],
  text: Text,
  name: string,
): NonNullable<ProvisioningPlan['certificate']>['from'] {
  const { CertificateId, CertificateSigningRequest, CertificatePem, CACertificatePem } = properties;
  const at = (property: string) => `Resources.${name}.${property}`;
  if (CertificateId !== undefined) return { id: text(CertificateId, at('CertificateId')) };
  if (CertificateSigningRequest !== undefined) {
    return { csr: text(CertificateSigningRequest, at('CertificateSigningRequest')) };
  }
  if (CertificatePem !== undefined) {
    const pem = text(CertificatePem, at('CertificatePem'));
    return CACertificatePem === undefined
      ? { pem }
      : { pem, caPem: text(CACertificatePem, at('CACertificatePem')) };
  }
  throw new MalformedTemplate(
    `Resources.${name} must have CertificateId, CertificateSigningRequest or CertificatePem`,
  );
}

/** AWS takes `Active` as well as `ACTIVE`. */
function certificateStatus(status: JsonValue | undefined, text: Text, place: string): 'ACTIVE' | 'INACTIVE' {
  const wanted = status === undefined ? 'ACTIVE' : text(status, place).toUpperCase();
  if (wanted === 'ACTIVE' || wanted === 'INACTIVE') return wanted;
  throw new MalformedTemplate(`${place} must be ACTIVE or INACTIVE, not ${wanted}`);
}
