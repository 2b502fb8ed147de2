/** MQTT over WebSockets at `/mqtt`, as AWS IoT serves it: the request for it is signed (SigV4, in its query or its headers). */

import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { createWebSocketStream, type WebSocket, WebSocketServer } from 'ws';
import { AwsError, invalidRequest } from '../registry/aws-error.ts';
import type { Broker } from './broker.ts';
import { accountPrincipal } from './principals.ts';
import { reasonCode } from './reason-codes.ts';
import { packetBytesMax } from './wire.ts';

/** A frame may hold several packets. */
const frameBytesMax = 2 * packetBytesMax;
/** AWS ends a WebSocket after a day. */
const connectionMsMaxUsual = 24 * 3600 * 1000;
/** RFC 6455: data of a kind that is not taken; a connection that ended without a close frame. */
const unsupportedData = 1003;
const noCloseFrame = 1006;

/** @returns the access key that signed the request. @throws AwsError (403) */
export type SignatureCheck = (request: IncomingMessage) => Promise<string>;

export type UpgradeHandler = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

export interface WebSocketOptions {
  broker: Pick<Broker, 'handle'>;
  check: SignatureCheck;
  /** Why one was refused. */
  refused(request: IncomingMessage, why: string): void;
  /** After which a connection is ended; a day where it is left out, as on AWS. */
  connectionMsMax?: number;
}

function refuse(socket: Duplex, { status, type, message }: AwsError): void {
  const body = JSON.stringify({ message });
  socket.end(
    `HTTP/1.1 ${status} Refused\r\nconnection: close\r\ncontent-type: application/json\r\n` +
      `x-amzn-errortype: ${type}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

/** @returns what an HTTPS server does with requests to upgrade */
export function createWebSockets({ broker, check, refused, ...more }: WebSocketOptions): UpgradeHandler {
  const { connectionMsMax = connectionMsMaxUsual } = more;
  const server = new WebSocketServer({
    noServer: true,
    maxPayload: frameBytesMax,
    perMessageDeflate: false,
    handleProtocols: () => 'mqtt',
  });

  function take(socket: WebSocket, accessKeyId: string, ipAddress: string): void {
    // Before the stream's own listener ends it: a close frame is a goodbye.
    socket.once('close', (code) => {
      if (code === noCloseFrame) return;
      connection.will = undefined;
      connection.close('CLIENT_INITIATED_DISCONNECT');
    });
    socket.on('message', (_data, isBinary) => {
      // [MQTT-6.0.0-1]
      if (!isBinary) socket.close(unsupportedData);
    });
    const connection = broker.handle(createWebSocketStream(socket), accountPrincipal(accessKeyId), ipAddress);
    const timer = setTimeout(
      () => connection.close('WEBSOCKET_TTL_EXPIRATION', reasonCode.administrativeAction),
      connectionMsMax,
    );
    timer.unref();
    socket.once('close', () => clearTimeout(timer));
  }

  async function admit(request: IncomingMessage): Promise<string> {
    const { pathname } = new URL(request.url ?? '/', 'https://localhost');
    if (pathname !== '/mqtt') throw invalidRequest(`WebSockets are at /mqtt, not at ${pathname}`);
    const protocols = request.headers['sec-websocket-protocol']?.split(',').map((name) => name.trim());
    if (!protocols?.includes('mqtt')) throw invalidRequest("The WebSocket's subprotocol must be mqtt");
    return check(request);
  }

  return (request, socket, head) => {
    socket.on('error', () => undefined);
    admit(request).then(
      (accessKeyId) => {
        const ipAddress = request.socket.remoteAddress ?? '';
        server.handleUpgrade(request, socket, head, (webSocket) => take(webSocket, accessKeyId, ipAddress));
      },
      (error: unknown) => {
        refused(request, error instanceof Error ? error.message : String(error));
        refuse(socket, error instanceof AwsError ? error : invalidRequest('The request is not valid'));
      },
    );
  };
}
