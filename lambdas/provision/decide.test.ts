import { expect, test } from '@jest/globals';
import type { Admission } from '../../protocol/admission.ts';
import { admit, admitRotation, requestOf } from './decide.ts';

const templateArn = (name: string) => `arn:aws:iot:eu-west-1:123456789012:provisioningtemplate/${name}`;
const parameters = { Fleet: 'demo', Node: 'a', Kind: 'validator' };
const request = { for: 'server', fleet: 'demo', node: 'a', kind: 'validator' } as const;
const admission: Admission = {
  fleet: 'demo',
  item: '#admission:a',
  node: 'a',
  kind: 'validator',
  zone: 'b',
  until: 1_000,
};
const refused = (why: RegExp) => ({ refused: expect.stringMatching(why) });

test('only Beam’s templates, with names that a fleet can have, are asked for', () => {
  expect(requestOf({ templateArn: templateArn('beam-server'), parameters })).toEqual(request);
  expect(
    requestOf({ templateArn: templateArn('beam-server'), parameters: { ...parameters, Kind: 'root' } }),
  ).toEqual(refused(/Kind/));
  expect(
    requestOf({ templateArn: templateArn('beam-server'), parameters: { ...parameters, Node: 'a_b' } }),
  ).toEqual(refused(/Node/));
  expect(requestOf({ templateArn: templateArn('other'), parameters })).toEqual(refused(/not Beam's/));
  expect(requestOf({ templateArn: templateArn('beam-rotate'), parameters: { ThingName: '../x' } })).toEqual(
    refused(/no server's name/),
  );
});

test('an admission is for one server, of its kind, in its time, and for one certificate', () => {
  const ok = { overrides: { Kind: 'validator', Zone: 'b' } };
  expect(admit(request, 'c1', admission, 999)).toEqual(ok);
  expect(admit(request, 'c1', { ...admission, certificateId: 'c1' }, 999)).toEqual(ok);
  expect(admit(request, 'c2', { ...admission, certificateId: 'c1' }, 999)).toEqual(
    refused(/another certificate/),
  );
  expect(admit(request, 'c1', undefined, 999)).toEqual(refused(/beam fleet admit demo a/));
  expect(admit(request, 'c1', admission, 1_000)).toEqual(refused(/has ended/));
  expect(admit({ ...request, kind: 'sentry' }, 'c1', admission, 999)).toEqual(
    refused(/as validator, not sentry/),
  );
});

test('a further certificate goes to a thing that the asking certificate is of, as the kind that the registry says', () => {
  const rotation = { for: 'rotation', thing: 'demo_a' } as const;
  const asked = { claimCertificateId: 'old', certificateId: 'new' };
  const thing = { kind: 'sentry', certificateIds: ['old'] };
  expect(admitRotation(rotation, asked, thing)).toEqual({ overrides: { Kind: 'sentry' } });
  expect(admitRotation(rotation, asked, { ...thing, certificateIds: ['old', 'new', 'x'] })).toEqual({
    overrides: { Kind: 'sentry' },
  });
  expect(admitRotation(rotation, asked, { ...thing, certificateIds: ['other'] })).toEqual(
    refused(/not one of demo_a/),
  );
  expect(admitRotation(rotation, asked, undefined)).toEqual(refused(/no thing/));
  expect(admitRotation(rotation, asked, { ...thing, kind: undefined })).toEqual(refused(/no attribute kind/));
  expect(admitRotation(rotation, asked, { ...thing, certificateIds: ['old', 'x', 'y'] })).toEqual(
    refused(/beam certs retire/),
  );
});
