/** MQTT packets over a byte stream: TLS or a WebSocket. Bounds what is read and what waits to be written. */

import type { Duplex } from 'node:stream';
import mqttPacket, { type Packet, type Parser } from 'mqtt-packet';
import { type ClientPacket, checkPacket } from './packets.ts';

/** AWS: 146 KB a packet, of which 128 KB are a payload. */
export const packetBytesMax = 149_504;
/** A client that does not take a goodbye within this time is cut. */
const goodbyeMsMax = 2000;

export class PacketTooLarge extends Error {
  override name = 'PacketTooLarge';
}

export interface WireEvents {
  packet(packet: ClientPacket): void;
  /** What came is no MQTT; nothing is read any more. */
  failed(error: Error): void;
  closed(): void;
  /** What waited to be written is written. */
  drained(): void;
}

export class Wire {
  readonly #stream: Duplex;
  readonly #parser: Parser = mqttPacket.parser();
  #options: { protocolVersion: number } = { protocolVersion: 4 };
  #isCorked = false;
  #isOver = false;
  #bytesRead = 0;

  constructor(stream: Duplex, events: WireEvents) {
    this.#stream = stream;
    const fail = (error: unknown) => {
      if (this.#isOver) return;
      this.#isOver = true;
      events.failed(error instanceof Error ? error : new Error(String(error)));
    };
    this.#parser.on('error', fail);
    this.#parser.on('packet', (packet: Packet) => {
      if (this.#isOver) return;
      try {
        if ((packet.length ?? 0) > packetBytesMax) throw new PacketTooLarge(`${packet.length} bytes`);
        events.packet(checkPacket(packet));
      } catch (error) {
        fail(error);
      }
    });
    stream.on('data', (chunk: Buffer) => {
      if (this.#isOver) return;
      this.#bytesRead += chunk.length;
      try {
        // What is left is the part of one packet that has come by now.
        const left = this.#parser.parse(chunk);
        if (left > packetBytesMax) fail(new PacketTooLarge(`more than ${packetBytesMax} bytes`));
      } catch (error) {
        fail(error);
      }
    });
    stream.on('drain', events.drained);
    stream.once('close', events.closed);
    // The stream's close follows its error.
    stream.on('error', () => undefined);
    stream.once('end', () => stream.destroy());
  }

  get bytesRead(): number {
    return this.#bytesRead;
  }

  /** Bytes that the client has not taken yet. */
  get unreadBytes(): number {
    return this.#stream.writableLength;
  }

  /** @param version what the client speaks: known from its CONNECT */
  speak(version: 3 | 4 | 5): void {
    this.#options = { protocolVersion: version };
  }

  /** What is sent in one turn of the event loop leaves together. */
  send(packet: Packet): void {
    this.write(mqttPacket.generate(packet, this.#options));
  }

  encode(packet: Packet): Buffer {
    return mqttPacket.generate(packet, this.#options);
  }

  write(bytes: Buffer): void {
    if (this.#stream.destroyed || this.#stream.writableEnded) return;
    if (!this.#isCorked) {
      this.#isCorked = true;
      this.#stream.cork();
      process.nextTick(() => {
        this.#isCorked = false;
        this.#stream.uncork();
      });
    }
    this.#stream.write(bytes);
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    if (!this.#isOver) this.#stream.resume();
  }

  /** Ends the connection, after what was sent. Nothing is read any more. */
  end(): void {
    this.#isOver = true;
    if (this.#stream.destroyed) return;
    const timer = setTimeout(() => this.#stream.destroy(), goodbyeMsMax);
    this.#stream.once('close', () => clearTimeout(timer));
    this.#stream.end(() => this.#stream.destroy());
    // What still comes is thrown away, so that the end is seen.
    this.#stream.resume();
  }

  /** At once: what was not written is lost. */
  cut(): void {
    this.#isOver = true;
    this.#stream.destroy();
  }
}
