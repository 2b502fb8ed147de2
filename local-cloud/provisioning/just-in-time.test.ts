/** Own authorities, by AWS's SDK and real TLS: registered, vouching for devices, registering them at their first connection. */

import { Agent } from 'node:https';
import {
  CreateProvisioningClaimCommand,
  CreateProvisioningTemplateCommand,
  DeleteCACertificateCommand,
  DescribeCACertificateCommand,
  DescribeCertificateCommand,
  DescribeThingCommand,
  GetRegistrationCodeCommand,
  IoTClient,
  ListCACertificatesCommand,
  ListCertificatesByCACommand,
  ListThingPrincipalsV2Command,
  RegisterCACertificateCommand,
  RegisterCertificateCommand,
  UpdateCACertificateCommand,
} from '@aws-sdk/client-iot';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { type Authority, issueFromCsr, makeAuthority } from '../../certs-scripts/ca.ts';
import { createCsr } from '../../certs-scripts/csr.ts';
import { makeDeviceKey } from '../../certs-scripts/device-key.ts';
import { registerServer } from '../../certs-scripts/register.ts';
import { certificatesUnder, registerAuthority } from '../../certs-scripts/register-authority.ts';
import { allowAll, type Device, eventually, listen, openTestCloud, type TestCloud } from '../core-fixture.ts';
import { arn } from '../registry/arns.ts';

let cloud: TestCloud;
let iot: IoTClient;
let device: Device;
const ruled: { topic: string; body: Record<string, unknown> }[] = [];

beforeAll(async () => {
  cloud = await openTestCloud();
  const { accessKeyId, secretAccessKey, https } = cloud.ready;
  iot = new IoTClient({
    endpoint: https,
    region: 'local',
    credentials: { accessKeyId, secretAccessKey },
    requestHandler: new NodeHttpHandler({ httpsAgent: new Agent({ ca: cloud.caPem }) }),
    maxAttempts: 1,
  });
  device = await cloud.device('watcher');
  cloud.core.broker.onMessage((topic, payload) => {
    if (topic.startsWith('$aws/events/certificates/'))
      ruled.push({ topic, body: JSON.parse(payload().toString()) });
  });
});
afterAll(async () => {
  iot.destroy();
  await cloud.close();
});

async function deviceOf(authority: Authority, name: string) {
  const key = makeDeviceKey();
  return { key, cert: await issueFromCsr(authority, await createCsr(key, name)), clientId: name };
}

/** As `beam certs` would: the CA signs the registration code. */
async function registerDefault(authority: Authority, extra: object = {}) {
  const { registrationCode = '' } = await iot.send(new GetRegistrationCodeCommand({}));
  const { cert } = await deviceOf(authority, registrationCode);
  return iot.send(
    new RegisterCACertificateCommand({
      caCertificate: authority.certificatePem,
      verificationCertificate: cert,
      ...extra,
    }),
  );
}

const sniOnly = (authority: Authority, extra: object = {}) =>
  iot.send(
    new RegisterCACertificateCommand({
      caCertificate: authority.certificatePem,
      certificateMode: 'SNI_ONLY',
      setAsActive: true,
      ...extra,
    }),
  );

const refused = (type: string, message: RegExp) =>
  expect.objectContaining({ name: type, message: expect.stringMatching(message) });

test('an authority is registered by its signature over the registration code, or in mode SNI_ONLY without', async () => {
  const authority = await makeAuthority('one');
  const other = await makeAuthority('one');
  const { registrationCode = '' } = await iot.send(new GetRegistrationCodeCommand({}));
  expect(registrationCode).toMatch(/^[0-9a-f]{64}$/);
  const attempt = (verificationCertificate?: string) =>
    iot.send(
      new RegisterCACertificateCommand({ caCertificate: authority.certificatePem, verificationCertificate }),
    );
  await expect(attempt()).rejects.toEqual(refused('InvalidRequestException', /SNI_ONLY/));
  await expect(attempt((await deviceOf(other, registrationCode)).cert)).rejects.toEqual(
    refused('CertificateValidationException', /not signed by the CA/),
  );
  await expect(attempt((await deviceOf(authority, 'no code')).cert)).rejects.toEqual(
    refused('RegistrationCodeValidationException', /GetRegistrationCode/),
  );
  const { cert } = await deviceOf(authority, registrationCode);
  await expect(
    iot.send(new RegisterCACertificateCommand({ caCertificate: cert, certificateMode: 'SNI_ONLY' })),
  ).rejects.toEqual(refused('CertificateValidationException', /basic constraints/));

  const { certificateId, certificateArn } = await registerDefault(authority);
  expect(certificateArn).toMatch(/:cacert\/[0-9a-f]{64}$/);
  await expect(registerDefault(authority)).rejects.toEqual(
    refused('ResourceAlreadyExistsException', /already registered/),
  );
  const describe = async () =>
    (await iot.send(new DescribeCACertificateCommand({ certificateId }))).certificateDescription;
  expect(await describe()).toMatchObject({
    status: 'INACTIVE',
    autoRegistrationStatus: 'DISABLE',
    certificateMode: 'DEFAULT',
    customerVersion: 1,
  });
  await iot.send(
    new UpdateCACertificateCommand({
      certificateId,
      newStatus: 'ACTIVE',
      newAutoRegistrationStatus: 'ENABLE',
    }),
  );
  expect(await describe()).toMatchObject({ status: 'ACTIVE', autoRegistrationStatus: 'ENABLE' });
  await expect(iot.send(new DeleteCACertificateCommand({ certificateId }))).rejects.toEqual(
    refused('CertificateStateException', /deactivated/),
  );
  await iot.send(new UpdateCACertificateCommand({ certificateId, newStatus: 'INACTIVE' }));
  await iot.send(new DeleteCACertificateCommand({ certificateId }));
  const { certificates } = await iot.send(new ListCACertificatesCommand({}));
  expect(certificates?.map((each) => each.certificateId)).not.toContain(certificateId);
});

test('a certificate is registered where its authority is, active, and told from others of its name', async () => {
  const authority = await makeAuthority('two');
  const { cert } = await deviceOf(authority, 'd');
  const register = (extra: { caCertificatePem?: string } = {}) =>
    iot.send(new RegisterCertificateCommand({ certificatePem: cert, status: 'ACTIVE', ...extra }));
  await expect(register()).rejects.toEqual(
    refused('CertificateValidationException', /RegisterCertificateWithoutCA/),
  );
  await expect(register({ caCertificatePem: authority.certificatePem })).rejects.toEqual(
    refused('CertificateValidationException', /not registered/),
  );
  const { certificateId: caCertificateId = '' } = await sniOnly(authority, { setAsActive: false });
  await expect(register()).rejects.toEqual(refused('CertificateStateException', /INACTIVE/));
  await iot.send(new UpdateCACertificateCommand({ certificateId: caCertificateId, newStatus: 'ACTIVE' }));
  // The same name and another key is no conflict; the same of both is.
  const stranger = await makeAuthority('two');
  await sniOnly(stranger);
  const twin = await makeAuthority('two', { privateKeyPem: authority.privateKeyPem });
  await sniOnly(twin);
  await expect(register()).rejects.toEqual(refused('CertificateConflictException', /caCertificatePem/));
  await expect(register({ caCertificatePem: stranger.certificatePem })).rejects.toEqual(
    refused('CertificateValidationException', /not signed by/),
  );
  const { certificateId } = await register({ caCertificatePem: authority.certificatePem });
  const { certificateDescription } = await iot.send(new DescribeCertificateCommand({ certificateId }));
  expect(certificateDescription).toMatchObject({
    caCertificateId,
    certificateMode: 'SNI_ONLY',
    status: 'ACTIVE',
  });
  const { certificates } = await iot.send(new ListCertificatesByCACommand({ caCertificateId }));
  expect(certificates).toMatchObject([{ certificateId }]);
});

test('just-in-time registration: the first connection registers, is closed, and is told; once activated the device gets in', async () => {
  const authority = await makeAuthority('three');
  const { certificateId: caCertificateId } = await registerDefault(authority, { setAsActive: true });
  const fresh = await deviceOf(authority, 'jitr-1');
  await expect(cloud.connect(device, fresh)).rejects.toThrow();
  expect(ruled).toEqual([]);

  await iot.send(
    new UpdateCACertificateCommand({ certificateId: caCertificateId, newAutoRegistrationStatus: 'ENABLE' }),
  );
  const topic = `$aws/events/certificates/registered/${caCertificateId}`;
  const watcher = await cloud.connect(device);
  const inbox = listen(watcher);
  await watcher.subscribeAsync(topic);
  const before = Date.now();
  await expect(cloud.connect(device, fresh)).rejects.toThrow();
  const [heard] = await inbox.until(1);
  const event = JSON.parse(heard?.text ?? '');
  const { certificates = [] } = await iot.send(new ListCertificatesByCACommand({ caCertificateId }));
  const certificateId = certificates[0]?.certificateId ?? '';
  expect(event).toEqual({
    certificateId,
    caCertificateId,
    timestamp: expect.any(Number),
    certificateStatus: 'PENDING_ACTIVATION',
    awsAccountId: '000000000000',
    certificateRegistrationTimestamp: expect.stringMatching(/^\d{13}$/),
  });
  expect(event.timestamp).toBeGreaterThanOrEqual(before);
  expect(ruled).toEqual([{ topic, body: event }]);

  // Told again as long as it waits; the same certificate.
  await expect(cloud.connect(device, fresh)).rejects.toThrow();
  await inbox.until(2);
  await cloud.core.registry.policies.attach('all', arn('cert', certificateId));
  await cloud.core.registry.certificates.update(certificateId, 'ACTIVE');
  expect((await cloud.connect(device, fresh)).connected).toBe(true);

  // Not for an authority that is off, nor without the server's name in mode SNI_ONLY, nor for what another key signed.
  const strict = await makeAuthority('four');
  const { certificateId: strictId } = await sniOnly(strict, { allowAutoRegistration: true });
  const unnamed = await deviceOf(strict, 'jitr-2');
  await expect(
    cloud.connect(device, { ...unnamed, host: '127.0.0.1', rejectUnauthorized: false }),
  ).rejects.toThrow();
  const forged = await deviceOf({ ...strict, privateKeyPem: makeDeviceKey() }, 'jitr-3');
  await expect(cloud.connect(device, forged)).rejects.toThrow();
  await iot.send(new UpdateCACertificateCommand({ certificateId: strictId, newStatus: 'INACTIVE' }));
  await expect(cloud.connect(device, unnamed)).rejects.toThrow();
  const strictly = await iot.send(new ListCertificatesByCACommand({ caCertificateId: strictId }));
  expect(strictly.certificates).toEqual([]);
});

test('just-in-time provisioning: the authority’s template makes a thing from the subject, and the device gets in', async () => {
  const templateBody = JSON.stringify({
    Parameters: {
      'AWS::IoT::Certificate::CommonName': { Type: 'String' },
      'AWS::IoT::Certificate::Id': { Type: 'String' },
    },
    Resources: {
      thing: {
        Type: 'AWS::IoT::Thing',
        Properties: { ThingName: { Ref: 'AWS::IoT::Certificate::CommonName' } },
      },
      certificate: {
        Type: 'AWS::IoT::Certificate',
        Properties: { CertificateId: { Ref: 'AWS::IoT::Certificate::Id' }, Status: 'ACTIVE' },
      },
      policy: { Type: 'AWS::IoT::Policy', Properties: { PolicyName: 'all' } },
    },
  });
  const provisioningRoleArn = 'arn:aws:iam::000000000000:role/some';
  await iot.send(
    new CreateProvisioningTemplateCommand({
      templateName: 'jitp',
      type: 'JITP',
      enabled: true,
      templateBody,
      provisioningRoleArn,
    }),
  );
  const authority = await makeAuthority('five');
  await sniOnly(authority, { allowAutoRegistration: true, registrationConfig: { templateName: 'jitp' } });
  const fresh = await deviceOf(authority, 'jitp-1');
  await expect(cloud.connect(device, fresh)).rejects.toThrow();
  expect((await cloud.connect(device, fresh)).connected).toBe(true);
  expect(await iot.send(new DescribeThingCommand({ thingName: 'jitp-1' }))).toMatchObject({
    thingName: 'jitp-1',
  });
  expect(
    (await iot.send(new ListThingPrincipalsV2Command({ thingName: 'jitp-1' }))).thingPrincipalObjects,
  ).toMatchObject([{ thingPrincipalType: 'NON_EXCLUSIVE_THING' }]);
  const [listed] =
    (await iot.send(new ListCACertificatesCommand({ templateName: 'jitp' }))).certificates ?? [];
  expect(listed?.status).toBe('ACTIVE');
});

test('a provisioning claim registers by its template for five minutes, and does nothing else', async () => {
  await iot.send(
    new CreateProvisioningTemplateCommand({
      templateName: 'claimed',
      enabled: true,
      provisioningRoleArn: 'arn:aws:iam::000000000000:role/some',
      templateBody: JSON.stringify({
        Parameters: { 'AWS::IoT::Certificate::Id': { Type: 'String' } },
        Resources: {
          certificate: {
            Type: 'AWS::IoT::Certificate',
            Properties: { CertificateId: { Ref: 'AWS::IoT::Certificate::Id' } },
          },
        },
      }),
    }),
  );
  const claim = await iot.send(new CreateProvisioningClaimCommand({ templateName: 'claimed' }));
  expect((claim.expiration?.getTime() ?? 0) - Date.now()).toBeLessThanOrEqual(300_000);
  const connect = () =>
    cloud.connect(device, {
      cert: claim.certificatePem ?? '',
      key: claim.keyPair?.PrivateKey ?? '',
      clientId: 'claimer',
    });
  const client = await connect();
  const inbox = listen(client);
  const create = '$aws/certificates/create/json';
  await client.subscribeAsync(`${create}/accepted`);
  await client.publishAsync(create, '{}');
  expect((await inbox.until(1))[0]?.topic).toBe(`${create}/accepted`);
  client.publish('some/topic', '{}');
  await eventually(() => !client.connected);
  await cloud.core.registry.certificates.forgetPending(Date.now() / 1000 + 301);
  await expect(connect()).rejects.toThrow();
});

test('servers with certificates of one’s own authority: under it, or in any account without it', async () => {
  const authority = await makeAuthority('six');
  const registered = await registerAuthority(iot, authority, { mode: 'SNI_ONLY', justInTime: 'off' });
  expect(registered.before).toBe(false);
  expect(await registerAuthority(iot, authority, { mode: 'SNI_ONLY', justInTime: 'register' })).toEqual({
    ...registered,
    before: true,
  });
  await expect(registerAuthority(iot, authority, { mode: 'DEFAULT', justInTime: 'off' })).rejects.toThrow(
    /SNI_ONLY, which can't be changed/,
  );
  for (const policy of ['beam-pilot', 'beam-rotate']) {
    await cloud.core.registry.policies.ensure(policy, allowAll);
  }
  const alone = await makeAuthority('seven');
  for (const [node, signer, caPem] of [
    ['under', authority, authority.certificatePem],
    ['alone', alone, undefined],
  ] as const) {
    const own = await deviceOf(signer, `fleet_${node}`);
    const server = { fleet: 'fleet', node, kind: 'sentry' as const };
    const given = { certificatePem: own.cert, caPem };
    const first = await registerServer(iot, server, given);
    expect(await registerServer(iot, server, given)).toEqual(first);
    expect((await cloud.connect(device, own)).connected).toBe(true);
  }
  const [under, ...others] = await certificatesUnder(iot, registered.certificateId);
  expect(others).toEqual([]);
  expect(under?.status).toBe('ACTIVE');
});
