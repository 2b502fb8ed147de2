/**
 * How a certificate of one's own authority becomes a server (just-in-time provisioning): its common name is the thing,
 * `<fleet>_<node>`, its organizational unit the kind. Whoever holds the authority's key decides who is let in. Else as
 * cloud-rules/templates/beam-server.json.
 */

import { pilotPolicyName, rotatePolicyName, thingTypeName, validatorPolicyName } from '../protocol/names.ts';

const commonName = { Ref: 'AWS::IoT::Certificate::CommonName' };
const kind = { Ref: 'AWS::IoT::Certificate::OrganizationalUnit' };
const fleet = { 'Fn::Select': ['0', { 'Fn::Split': ['_', commonName] }] };
const policy = (PolicyName: unknown) => ({ Type: 'AWS::IoT::Policy', Properties: { PolicyName } });

export const justInTimeTemplate = {
  Parameters: {
    'AWS::IoT::Certificate::CommonName': { Type: 'String' },
    'AWS::IoT::Certificate::OrganizationalUnit': { Type: 'String' },
    'AWS::IoT::Certificate::Id': { Type: 'String' },
  },
  Mappings: {
    PolicyOf: {
      validator: { Credentials: validatorPolicyName },
      sentry: { Credentials: pilotPolicyName },
    },
  },
  Resources: {
    thing: {
      Type: 'AWS::IoT::Thing',
      Properties: {
        ThingName: commonName,
        ThingTypeName: thingTypeName,
        ThingGroups: [{ 'Fn::Join': ['', ['beam_', fleet]] }],
        AttributePayload: { fleet, kind },
      },
      OverrideSettings: { AttributePayload: 'MERGE', ThingTypeName: 'REPLACE', ThingGroups: 'MERGE' },
    },
    certificate: {
      Type: 'AWS::IoT::Certificate',
      Properties: { CertificateId: { Ref: 'AWS::IoT::Certificate::Id' }, Status: 'ACTIVE' },
    },
    pilot: policy(pilotPolicyName),
    rotate: policy(rotatePolicyName),
    credentials: policy({ 'Fn::FindInMap': ['PolicyOf', kind, 'Credentials'] }),
  },
} as const;
