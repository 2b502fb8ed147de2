import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { MalformedTemplate, parseTemplate, resolveTemplate } from './provisioning-template.ts';

const id = 'AWS::IoT::Certificate::Id';
const certificate = { Type: 'AWS::IoT::Certificate', Properties: { CertificateId: { Ref: id } } };
const resolve = (template: object, parameters: Record<string, string> = {}) =>
  resolveTemplate(
    parseTemplate(JSON.stringify(template)),
    new Map(Object.entries({ [id]: 'c0ffee', ...parameters })),
    new Map([['AWS::Region', 'local']]),
  );

test('the templates that come with Beam make a server a thing of its fleet, with the policies of its kind', () => {
  const read = (name: string) =>
    JSON.parse(readFileSync(new URL(`../../cloud-rules/templates/${name}.json`, import.meta.url), 'utf8'))
      .templateBody;
  const plan = resolve(read('beam-server'), { Fleet: 'demo', Node: 'a', Kind: 'validator' });
  expect(plan.thing).toMatchObject({
    thingName: 'demo_a',
    thingTypeName: 'beam-pilot',
    attributes: { fleet: 'demo', kind: 'validator', zone: 'unset' },
    groups: ['beam_demo'],
  });
  expect(plan.certificate).toMatchObject({ from: { id: 'c0ffee' }, status: 'ACTIVE' });
  const policies = (kind: string) =>
    resolve(read('beam-rotate'), { ThingName: 'demo_a', Kind: kind }).policies.flatMap((each) =>
      'name' in each ? each.name : [],
    );
  expect(new Set(policies('validator'))).toEqual(new Set(['beam-pilot', 'beam-rotate', 'beam-validator']));
  expect(policies('sentry')).not.toContain('beam-validator');
  expect(() => policies('operator')).toThrow(/PolicyOf.operator/);
});

test('functions are worked out, in the configuration of the device too', () => {
  const { deviceConfiguration } = resolve(
    {
      Parameters: { Serial: { Type: 'String' }, Place: { Type: 'String', Default: 'Rome' } },
      Mappings: { Urls: { Rome: { url: 'https://rome.example' } } },
      Resources: { certificate },
      DeviceConfiguration: {
        joined: { 'Fn::Join': ['-', ['x', { Ref: 'Serial' }]] },
        chosen: { 'Fn::Select': [1, { 'Fn::Split': [',', 'a,b,c'] }] },
        found: { 'Fn::FindInMap': ['Urls', { Ref: 'Place' }, 'url'] },
        text: {
          'Fn::Sub': [
            ['$', '{Serial} of $', '{who} in $', '{AWS::Region}, $', '{!Serial}'].join(''),
            { who: { Ref: 'Place' } },
          ],
        },
        list: [{ Ref: 'Serial' }, 1, null],
      },
    },
    { Serial: '7' },
  );
  expect(deviceConfiguration).toEqual({
    joined: 'x-7',
    chosen: 'b',
    found: 'https://rome.example',
    text: ['7 of Rome in local, $', '{Serial}'].join(''),
    list: ['7', 1, null],
  });
});

test.each([
  ['{', /not JSON/],
  ['{"Resources":{"x":{"Type":"AWS::S3::Bucket","Properties":{}}}}', /Resources\.x/],
  ['{"Resources":{},"Outputs":{}}', /Outputs/],
  [JSON.stringify({ Resources: { a: certificate, b: certificate } }), /more than one/],
  [JSON.stringify({ Resources: { a: { Type: 'AWS::IoT::Policy', Properties: {} } } }), /PolicyName/],
  [`{"Resources":{},"DeviceConfiguration":{"a":"${'x'.repeat(10_300)}"}}`, /10240/],
])('a malformed template (%#) is refused when it is made', (body, message) => {
  expect(() => parseTemplate(body)).toThrow(MalformedTemplate);
  expect(() => parseTemplate(body)).toThrow(message);
});

test.each([
  [{ Ref: 'Nobody' }, /Nobody/],
  [{ 'Fn::GetAtt': ['a', 'b'] }, /no function/],
  [{ 'Fn::Select': [9, ['a']] }, /finds nothing/],
  [{ 'Fn::FindInMap': ['toString', 'length', 'x'] }, /finds no/],
  [{ Ref: 'A', Other: 1 }, /alone/],
])('%j has no value, and is told', (expression, message) => {
  expect(() => resolve({ Resources: { certificate }, DeviceConfiguration: { expression } })).toThrow(message);
});

test('whatever a template holds, it is a plan or a MalformedTemplate', () => {
  const expression = fc.letrec<{ any: fc.JsonValue }>((tie) => ({
    any: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.jsonValue({ maxDepth: 1 }),
      fc
        .tuple(
          fc.constantFrom(
            'Ref',
            'Fn::Join',
            'Fn::Select',
            'Fn::Split',
            'Fn::FindInMap',
            'Fn::Sub',
            '__proto__',
          ),
          fc.array(tie('any'), { maxLength: 3 }),
        )
        .map(([name, values]) => ({ [name]: values }) as fc.JsonValue),
    ),
  })).any;
  fc.assert(
    fc.property(expression, fc.string(), (value, name) => {
      try {
        resolve({
          Resources: {
            certificate,
            thing: {
              Type: 'AWS::IoT::Thing',
              Properties: { ThingName: value, AttributePayload: { [name]: value } },
            },
          },
          DeviceConfiguration: { value },
        });
      } catch (error) {
        if (!(error instanceof MalformedTemplate)) throw error;
      }
    }),
    { numRuns: 200 },
  );
});
