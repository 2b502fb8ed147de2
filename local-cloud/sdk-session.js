/**
 * Drives the broker with AWS's own MQTT clients, for sdk-clients.test.ts. A process of its own: aws-crt keeps native
 * handles that jest would wait for. Prints one JSON line a finding; exit code 0 when all went through.
 *
 * node sdk-session.js <port> <ca.pem> <certificate.pem> <key.pem> <thing> <https-port> <access-key-id> <secret>
 */
import { once } from 'node:events';
import { auth, iot, iotshadow, mqtt, mqtt5 } from 'aws-iot-device-sdk-v2';

const [portText, ca, certificate, key, thing, httpsPort, accessKeyId, secret] = process.argv.slice(2);
const port = Number(portText);
const found = (name, value) => console.log(JSON.stringify({ name, value }));
const text = (payload) => Buffer.from(payload).toString('utf8');

/** @param {string} topic the first message's payload on it, as JSON */
async function mqtt311() {
  const config = iot.AwsIotMqttConnectionConfigBuilder.new_mtls_builder_from_path(certificate, key)
    .with_certificate_authority_from_path(undefined, ca)
    .with_clean_session(true)
    .with_client_id(thing)
    .with_endpoint('localhost')
    .with_port(port)
    .build();
  const connection = new mqtt.MqttClient().new_connection(config);
  connection.on('error', (error) => found('311-error', String(error)));
  found('311-session-present', await connection.connect());

  const topic = `beam/test/${thing}/health`;
  let hear;
  const heard = new Promise((resolve) => {
    hear = resolve;
  });
  await connection.subscribe(topic, mqtt.QoS.AtLeastOnce, (_topic, payload) => hear(text(payload)));
  await connection.publish(topic, '{"n":1}', mqtt.QoS.AtLeastOnce);
  found('311-echo', await heard);

  const shadows = iotshadow.IotShadowClientv2.newFromMqtt311(connection, {
    maxRequestResponseSubscriptions: 4,
    maxStreamingSubscriptions: 4,
    operationTimeoutInSeconds: 5,
  });
  await shadowRoundTrip('311', shadows);
  shadows.close();
  await connection.disconnect();
}

async function mqtt5Client() {
  const config = iot.AwsIotMqtt5ClientConfigBuilder.newDirectMqttBuilderWithMtlsFromPath(
    'localhost',
    certificate,
    key,
  )
    .withCertificateAuthorityFromPath(undefined, ca)
    .withPort(port)
    .withConnectProperties({ clientId: thing, keepAliveIntervalSeconds: 60 })
    .build();
  const client = new mqtt5.Mqtt5Client(config);
  client.on('error', (error) => found('5-error', String(error)));
  const connected = once(client, 'connectionSuccess');
  client.start();
  const [event] = await connected;
  found('5-settings', {
    sharedSubscriptionsAvailable: event.settings.sharedSubscriptionsAvailable,
    maximumPacketSizeToServer: event.settings.maximumPacketSizeToServer,
    receiveMaximumFromServer: event.settings.receiveMaximumFromServer,
  });

  const topic = `beam/test/${thing}/health`;
  const heard = once(client, 'messageReceived');
  await client.subscribe({ subscriptions: [{ topicFilter: topic, qos: mqtt5.QoS.AtLeastOnce }] });
  await client.publish({
    topicName: topic,
    payload: '{"n":5}',
    qos: mqtt5.QoS.AtLeastOnce,
    userProperties: [{ name: 'a', value: 'b' }],
  });
  const [{ message }] = await heard;
  found('5-echo', { payload: text(message.payload), userProperties: message.userProperties });

  const shadows = iotshadow.IotShadowClientv2.newFromMqtt5(client, {
    maxRequestResponseSubscriptions: 4,
    maxStreamingSubscriptions: 4,
    operationTimeoutInSeconds: 5,
  });
  await shadowRoundTrip('5', shadows);
  shadows.close();
  const stopped = once(client, 'stopped');
  client.stop();
  await stopped;
  client.close();
}

/** Signed with an access key, as a back end or a browser connects. */
async function webSocket311() {
  const config = iot.AwsIotMqttConnectionConfigBuilder.new_builder_for_websocket()
    .with_certificate_authority_from_path(undefined, ca)
    .with_credentials('local', accessKeyId, secret)
    .with_clean_session(true)
    .with_client_id(`${thing}-ws`)
    .with_endpoint('localhost')
    .with_port(Number(httpsPort))
    .build();
  const connection = new mqtt.MqttClient().new_connection(config);
  connection.on('error', (error) => found('ws-311-error', String(error)));
  await connection.connect();
  const topic = `beam/test/${thing}/ws`;
  let hear;
  const heard = new Promise((resolve) => {
    hear = resolve;
  });
  await connection.subscribe(topic, mqtt.QoS.AtLeastOnce, (_topic, payload) => hear(text(payload)));
  await connection.publish(topic, 'by WebSocket', mqtt.QoS.AtLeastOnce);
  found('ws-311-echo', await heard);
  await connection.disconnect();
}

async function webSocket5() {
  const credentialsProvider = auth.AwsCredentialsProvider.newStatic(accessKeyId, secret);
  const config = iot.AwsIotMqtt5ClientConfigBuilder.newWebsocketMqttBuilderWithSigv4Auth('localhost', {
    credentialsProvider,
    region: 'local',
  })
    .withCertificateAuthorityFromPath(undefined, ca)
    .withPort(Number(httpsPort))
    .withConnectProperties({ clientId: `${thing}-ws5`, keepAliveIntervalSeconds: 60 })
    .build();
  const client = new mqtt5.Mqtt5Client(config);
  client.on('error', (error) => found('ws-5-error', String(error)));
  const connected = once(client, 'connectionSuccess');
  client.start();
  await connected;
  const topic = `beam/test/${thing}/ws5`;
  const heard = once(client, 'messageReceived');
  await client.subscribe({ subscriptions: [{ topicFilter: topic, qos: mqtt5.QoS.AtLeastOnce }] });
  await client.publish({ topicName: topic, payload: 'by WebSocket', qos: mqtt5.QoS.AtLeastOnce });
  const [{ message }] = await heard;
  found('ws-5-echo', text(message.payload));
  const stopped = once(client, 'stopped');
  client.stop();
  await stopped;
  client.close();
}

/** @param {iotshadow.IotShadowClientv2} shadows */
async function shadowRoundTrip(name, shadows) {
  const of = { thingName: thing, shadowName: `sdk-${name}` };
  try {
    await shadows.getNamedShadow(of);
    found(`${name}-get-missing`, 'answered');
  } catch (error) {
    found(`${name}-get-missing`, { code: error.modeledError?.code, message: error.modeledError?.message });
  }
  const stream = shadows.createNamedShadowDeltaUpdatedStream(of);
  const subscribed = once(stream, 'subscriptionStatus');
  const delta = once(stream, 'incomingPublish');
  stream.open();
  await subscribed;
  const updated = await shadows.updateNamedShadow({
    ...of,
    state: { desired: { a: 1 }, reported: { a: 0 } },
  });
  found(`${name}-update`, { version: updated.version, state: updated.state });
  const [{ message }] = await delta;
  found(`${name}-delta`, message.state);
  stream.close();
  const got = await shadows.getNamedShadow(of);
  found(`${name}-get`, { state: got.state, version: got.version });
  const deleted = await shadows.deleteNamedShadow(of);
  found(`${name}-delete`, deleted.version);
}

try {
  await mqtt311();
  await mqtt5Client();
  await webSocket311();
  await webSocket5();
  // A natural exit can hang after a stream of the shadow client.
  process.exit(0);
} catch (error) {
  found('failed', String(error?.stack ?? error));
  process.exit(1);
}
