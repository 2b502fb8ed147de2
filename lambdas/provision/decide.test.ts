import { expect, test } from '@jest/globals';
import type { Admission } from '../../protocol/admission.ts';
import { admit, admitRotation, requestOf } from './decide.ts';
import { checkIdentity, readCertificates } from './instance-identity.ts';
import { signerOfDocuments } from './sample-documents.ts';

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
  const ok = { overrides: { Kind: 'validator', Zone: 'b', InstanceId: 'unset' } };
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

test('an instance is admitted by what AWS signed: this one, or for a sentry each that is fresh and newer than the one before', () => {
  const nowMs = 10_000_000;
  const at = (startedAt: number, instanceId = 'i-0123456789abcdef0') => ({
    instanceId,
    availabilityZone: 'eu-1a',
    startedAt,
  });
  const pinned: Admission = { ...admission, until: nowMs + 1, instance: 'i-0123456789abcdef0' };
  expect(admit(request, 'c1', pinned, nowMs, at(5))).toEqual({
    overrides: { Kind: 'validator', Zone: 'b', InstanceId: 'i-0123456789abcdef0' },
  });
  expect(admit(request, 'c1', pinned, nowMs)).toEqual(refused(/no identity document/));
  expect(admit(request, 'c1', pinned, nowMs, at(5, 'i-aaaaaaaa'))).toEqual(refused(/not i-aaaaaaaa/));
  // One certificate, as ever: its document may have been copied.
  expect(admit(request, 'c2', { ...pinned, certificateId: 'c1' }, nowMs, at(5))).toEqual(refused(/another/));
  // No server says so of itself.
  expect(admit(request, 'c1', { ...admission, until: nowMs + 1 }, nowMs)).toMatchObject({
    overrides: { InstanceId: 'unset' },
  });

  const { zone: _none, ...standing }: Admission = { ...pinned, instance: 'own', kind: 'sentry' };
  const sentry = { ...request, kind: 'sentry' as const };
  const fresh = at(nowMs - 1_000);
  expect(admit(sentry, 'c1', standing, nowMs, fresh)).toEqual({
    overrides: { Kind: 'sentry', Zone: 'eu-1a', InstanceId: fresh.instanceId },
  });
  const used = { ...standing, certificateId: 'c1', startedAt: fresh.startedAt };
  expect(admit(sentry, 'c2', used, nowMs, fresh)).toEqual(refused(/another certificate/));
  expect(admit(sentry, 'c2', used, nowMs, at(nowMs - 500))).toMatchObject({ overrides: { Kind: 'sentry' } });
  expect(admit(sentry, 'c1', standing, nowMs, at(nowMs - 3_600_001))).toEqual(refused(/60 minutes ago/));
  expect(admit(request, 'c1', { ...standing, kind: 'validator' }, nowMs, fresh)).toEqual(
    refused(/only sentries/),
  );
});

test('an identity document counts with AWS’s signature over its every byte, and of our account', async () => {
  const aws = await signerOfDocuments();
  const document = aws.document({ accountId: '123456789012' });
  const check = (proof: { document: string; signature: string }, template = 'beam-server') =>
    checkIdentity(proof, readCertificates(aws.certificatePem), templateArn(template));
  const signature = aws.sign(document);
  expect(check({ document, signature })).toEqual({
    instanceId: 'i-0123456789abcdef0',
    availabilityZone: 'eu-west-1a',
    startedAt: Date.parse('2026-11-27T10:00:00Z'),
  });
  expect(check({ document: `${document} `, signature })).toEqual(refused(/not signed by AWS/));
  const other = await signerOfDocuments();
  expect(check({ document, signature: other.sign(document) })).toEqual(refused(/not signed by AWS/));
  const foreign = aws.document({ accountId: '999999999999' });
  expect(check({ document: foreign, signature: aws.sign(foreign) })).toEqual(
    refused(/account 999999999999, not 123456789012/),
  );
  expect(() => readCertificates('MIIC…')).toThrow(/BEAM_INSTANCE_CERTIFICATES/);
  const asked = (sent: object) =>
    requestOf({ templateArn: templateArn('beam-server'), parameters: { ...parameters, ...sent } });
  expect(asked({ InstanceDocument: document, InstanceSignature: signature })).toEqual({
    ...request,
    proof: { document, signature },
  });
  expect(asked({ InstanceDocument: 'x'.repeat(5_000), InstanceSignature: signature })).toEqual(
    refused(/bad identity document/),
  );
});
