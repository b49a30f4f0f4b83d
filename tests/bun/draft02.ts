/**
 * WebTransport of draft 02, the dialect of Chrome up to now, frame by frame: aioquic carries the streams, capsules and codes are made
 * and read here, so that a test sees what is on the wire, and can send what no library would.
 */
import type { Connection, Exchange, Field, Report } from "./client.ts";

/** Capsules by their numbers. */
export const CLOSE_SESSION = 0x2843;
export const DRAIN_SESSION = 0x78ae;

/** What a stream is reset with when its session is gone. */
export const SESSION_GONE = 0x170d7b68;
export const BUFFERED_STREAM_REJECTED = 0x3994bd84;

/** The HTTP/3 code that carries an application's code. */
export function wireCode(code: number): number {
  return 0x52e4a40fa8db + code + Math.floor(code / 0x1e);
}

export function varint(n: number): Uint8Array {
  if (n < 0x40) return Uint8Array.of(n);
  if (n < 0x4000) return Uint8Array.of(0x40 | (n >> 8), n & 0xff);
  const long = new DataView(new ArrayBuffer(n < 0x4000_0000 ? 4 : 8));
  if (long.byteLength === 4) long.setUint32(0, (n | 0x8000_0000) >>> 0);
  else long.setBigUint64(0, BigInt(n) | 0xc000_0000_0000_0000n);
  return new Uint8Array(long.buffer);
}

/** Reads a varint: its value and where the next thing begins; null when it is cut short. */
export function readVarint(data: Uint8Array, at: number): [value: number, next: number] | null {
  const first = data[at];
  if (first === undefined) return null;
  const length = 1 << (first >> 6);
  if (at + length > data.length) return null;
  let value = BigInt(first & 0x3f);
  for (let i = 1; i < length; i++) value = (value << 8n) | BigInt(data[at + i]!);
  return [Number(value), at + length];
}

export function capsule(type: number, payload: string | Uint8Array = new Uint8Array(0)): Uint8Array {
  const bytes = Buffer.from(payload);
  return Buffer.concat([varint(type), varint(bytes.length), bytes]);
}

/** The capsule that closes a session. */
export function closeCapsule(code: number, reason: string | Uint8Array = ""): Uint8Array {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(code);
  return capsule(CLOSE_SESSION, Buffer.concat([head, Buffer.from(reason)]));
}

/** A capsule as it came. */
export interface Capsule {
  type: number;
  payload: Uint8Array;
}

/** The capsules in a CONNECT stream's data so far, without those of flow control, which a server may send at any time. */
export function capsules(report: Report): Capsule[] {
  const data = Buffer.from(report.body ?? "", "base64");
  const found: Capsule[] = [];
  for (let at = 0; ; ) {
    const type = readVarint(data, at);
    const length = type && readVarint(data, type[1]);
    if (!length || length[1] + length[0] > data.length) break;
    at = length[1] + length[0];
    if (type![0] < 0x190b4d00 || type![0] > 0x190b4dff) found.push({ type: type![0], payload: data.subarray(length[1], at) });
  }
  return found;
}

/** Code and reason of a capsule that closes. */
export function closeInfo(closing: Capsule): { code: number; reason: string } {
  const payload = Buffer.from(closing.payload);
  return { code: payload.readUInt32BE(0), reason: payload.subarray(4).toString() };
}

/** A session of aioquic's. */
export class DraftSession {
  constructor(
    readonly connection: Connection,
    readonly exchange: Exchange,
  ) {}

  /** Asks for a session, and waits for the answer: `report.status` tells which. */
  static async request(connection: Connection, path: string, headers: Field[] = []): Promise<{ session: DraftSession; report: Report }> {
    const session = await this.send(connection, path, headers);
    return { session, report: await session.exchange.response("headers") };
  }

  /** Asks for a session without waiting. */
  static async send(connection: Connection, path: string, headers: Field[] = []): Promise<DraftSession> {
    const authority = `localhost:${connection.port}`;
    const exchange = await connection.request(path, {
      end: false,
      fields: [
        [":method", "CONNECT"],
        [":protocol", "webtransport"],
        [":scheme", "https"],
        [":authority", authority],
        [":path", path],
        ["sec-webtransport-http3-draft02", "1"],
        ...headers,
      ],
    });
    return new DraftSession(connection, exchange);
  }

  /** A session that the server accepts. */
  static async open(connection: Connection, path: string, headers: Field[] = []): Promise<DraftSession> {
    const { session, report } = await this.request(connection, path, headers);
    if (report.status !== 200) throw new Error(`no session, but status ${report.status}`);
    return session;
  }

  get id(): number {
    return this.exchange.stream;
  }

  /** Sends datagrams with the session's quarter stream id before them. */
  sendDatagrams(payloads: (string | Uint8Array)[], options: { count?: number; pace?: number } = {}): Promise<void> {
    return this.connection.sendDatagrams(
      payloads.map((p) => Buffer.concat([varint(this.id / 4), Buffer.from(p)])),
      options,
    );
  }

  /** Sends capsules, or anything else, on the CONNECT stream. */
  async sendCapsule(data: Uint8Array, end = false): Promise<void> {
    await this.exchange.send([{ base64: Buffer.from(data).toString("base64") }], end);
  }

  /** Opens a stream with its head, and writes. */
  async open(unidirectional: boolean, data: string | Uint8Array = "", end = false): Promise<DraftStream> {
    const { stream } = await this.connection.command<{ stream: number }>("session_stream", { session: this.id, unidirectional });
    const opened = new DraftStream(this.connection, stream, 0);
    if (data.length > 0 || end) await opened.write(data, end);
    return opened;
  }

  /** The server's stream number `index` of a kind. */
  async accept(unidirectional: boolean, index = 0): Promise<DraftStream> {
    const { stream } = await this.connection.command<{ stream: number }>("opened", { unidirectional, index });
    return new DraftStream(this.connection, stream, 2 + varint(this.id).length);
  }
}

/** A stream of a session. Its head, `skip` bytes, is left out of what it gives. */
export class DraftStream {
  constructor(
    readonly connection: Connection,
    readonly stream: number,
    readonly skip: number,
  ) {}

  #command<T>(what: string, args: object = {}): Promise<T> {
    return this.connection.command<T>(what, { stream: this.stream, ...args });
  }

  write(data: string | Uint8Array, end = false): Promise<void> {
    return this.#command("write", { frames: [{ raw: Buffer.from(data).toString("base64") }], end });
  }

  /** RESET_STREAM with the HTTP/3 code as it is. */
  reset(wire: number): Promise<void> {
    return this.#command("reset", { code: wire });
  }

  stopSending(wire: number): Promise<void> {
    return this.#command("stop", { code: wire });
  }

  /** Waits for so many bytes; all that came. */
  async bytes(count: number): Promise<Uint8Array> {
    const { data } = await this.#command<{ data: string }>("bytes", { count: count + this.skip });
    return Buffer.from(data, "base64").subarray(this.skip);
  }

  /** Waits for the server's STOP_SENDING: the HTTP/3 code. */
  async stopped(): Promise<number> {
    return (await this.#command<{ code: number }>("stopped")).code;
  }

  /** Waits for the end of the server's half: all bytes, or the code of its reset. */
  async ended(): Promise<{ text: string; ended: boolean; reset: number | null; stopped: number | null }> {
    const stream = await this.#command<{ data: string; ended: boolean; reset: number | null; stopped: number | null }>("stream");
    const text = Buffer.from(stream.data, "base64").subarray(this.skip).toString();
    return { text, ended: stream.ended, reset: stream.reset, stopped: stream.stopped };
  }
}
