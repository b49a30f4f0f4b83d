/**
 * Clients of another make. {@link Driver} is aioquic in a process of its own (tests/aioquic/client.py), which gives a test control
 * over every part of an exchange; {@link http3} is Bun's own fetch.
 */
import { join } from "node:path";
import { Lines } from "./lines.ts";

const root = join(import.meta.dir, "../..");

/** Where a body's bytes come from: text, base64, `i % 256` at offset i, or the generator's output for a seed. `after` is in ms. */
export type Piece = ({ text: string } | { base64: string } | { mod256: number } | { random: number; seed?: number }) & {
  after?: number;
};

/** A frame made by hand; see tests/aioquic/connection.py, `frame`. */
export type Frame =
  { raw: string } | { type: number; base64?: string; text?: string; headers?: Field[]; varints?: number[]; length?: number };

export type Field = [name: string, value: string];

/** How a connection ended: by whom, and with which code. */
export interface End {
  by: "peer" | "idle" | "client";
  code: number;
  application: boolean;
  reason: string;
}

/** A response as far as it has come. `body` holds the bytes of short ones, `arrivals` when how much of it came. */
export interface Report {
  stream: number;
  sent: { bytes: number; sha256: string; finished: boolean; stopped: number | null };
  informational: { status: number; headers: Field[] }[];
  status: number | null;
  headers: Field[];
  headersAt: number | null;
  bytes: number;
  sha256: string;
  body: string | null;
  arrivals: [ms: number, bytes: number][];
  trailers: Field[] | null;
  /** The stream ended with a clean FIN. */
  ended: boolean;
  /** The code of the server's RESET_STREAM. */
  reset: number | null;
  connection?: End | null;
}

export interface ConnectOptions {
  host?: string;
  serverName?: string;
  /** A PEM file to check the server's certificate against; without it any is taken. */
  ca?: string;
  alpn?: string[];
  /** false: QUIC only, every frame is the test's. */
  http?: boolean;
  /** SETTINGS to send instead of aioquic's. */
  settings?: Record<number, number>;
  maxStreamData?: number;
  maxData?: number;
  /** Seconds. */
  idleTimeout?: number;
  /** Offer QUIC datagrams in the transport parameters. */
  datagrams?: boolean;
  /** Bytes of its largest packets: 1,200 by default. */
  packet?: number;
  /** Offer them, and WebTransport of draft 02 in SETTINGS. */
  webtransport?: boolean;
  /** Seconds for the handshake. */
  timeout?: number;
}

export interface RequestOptions {
  method?: string;
  headers?: Field[];
  body?: Piece[] | string;
  /** false: the request stays open after the body. */
  end?: boolean;
  authority?: string;
  scheme?: string;
  /** The whole field section, pseudo fields too, instead of the one made from the other options. */
  fields?: Field[];
  /** Bytes of the response's stream to read before the window closes; `allow` opens it again. */
  allowance?: number;
}

/** One aioquic process. Ends with {@link stop}. */
export class Driver {
  #lines = new Lines("aioquic", [join(root, "build/venv/bin/python"), join(root, "tests/aioquic/client.py")]);

  /** The commands of tests/aioquic/client.py, `do_*`. */
  command<T>(what: string, args: object = {}): Promise<T> {
    return this.#lines.command<T & object>(what, args);
  }

  async connect(port: number, options: ConnectOptions = {}): Promise<Connection> {
    const answer = await this.command<Handshake & { conn: number }>("connect", { port, ...options });
    return new Connection(this, answer.conn, port, answer);
  }

  /** Ends the process, and returns what it wrote to stderr: nothing, unless something is wrong with the driver. */
  stop(): Promise<string> {
    return this.#lines.stop();
  }
}

/** What the handshake agreed on. */
export interface Handshake {
  alpn: string | null;
  retried: boolean;
  certificateHash: string | null;
  localPort: number;
  handshakeMs: number;
  /** Whether the client, and the server, offers DATAGRAM. */
  datagrams: { offered: boolean; answered: boolean };
}

/** A connection of the {@link Driver}. */
export class Connection {
  constructor(
    readonly driver: Driver,
    readonly id: number,
    readonly port: number,
    readonly handshake: Handshake,
  ) {}

  command<T>(what: string, args: object = {}): Promise<T> {
    return this.driver.command<T>(what, { conn: this.id, ...args });
  }

  /** Sends a request and returns at once; its body follows in the background. */
  async request(path: string, options: RequestOptions = {}): Promise<Exchange> {
    const body = typeof options.body === "string" ? [{ text: options.body }] : (options.body ?? []);
    const headers: Field[] = options.fields ?? [
      [":method", options.method ?? "GET"],
      [":scheme", options.scheme ?? "https"],
      [":authority", options.authority ?? `localhost:${this.port}`],
      [":path", path],
      ...(options.headers ?? []),
    ];
    const { stream } = await this.command<{ stream: number }>("request", {
      headers,
      body,
      end: options.end ?? true,
      allowance: options.allowance,
    });
    return new Exchange(this, stream);
  }

  /** A request from its first byte to the end of its response. */
  async fetch(path: string, options: RequestOptions = {}): Promise<Answer> {
    return new Answer(await (await this.request(path, options)).response());
  }

  /** A request made of frames by hand, answered as any other. */
  async raw(frames: Frame[], end = true): Promise<Exchange> {
    const { stream } = await this.command<{ stream: number }>("open", { request: true });
    await this.command("write", { stream, frames, end });
    return new Exchange(this, stream);
  }

  /** A unidirectional stream with these frames. */
  async unidirectional(frames: Frame[], end = false): Promise<number> {
    const { stream } = await this.command<{ stream: number }>("open", { unidirectional: true });
    await this.command("write", { stream, frames, end });
    return stream;
  }

  /** Sends raw QUIC datagrams, the whole list `count` times, `pace` ms after each. */
  async sendDatagrams(payloads: (string | Uint8Array)[], options: { count?: number; pace?: number } = {}): Promise<void> {
    await this.command("datagrams", { payloads: payloads.map((p) => Buffer.from(p).toString("base64")), ...options });
  }

  /** Waits for so many raw QUIC datagrams and takes all that came; fewer when the time, in seconds, is over. */
  async datagrams(count: number, timeout = 30): Promise<Uint8Array[]> {
    const { payloads } = await this.command<{ payloads: string[] }>("received", { count, timeout });
    return payloads.map((p) => Buffer.from(p, "base64"));
  }

  /** CONNECTION_CLOSE with an application code. */
  async close(code = 0x100, reason = ""): Promise<void> {
    await this.command("close", { code, reason });
  }

  /** Neither sends nor hears anything any more. */
  async vanish(): Promise<void> {
    await this.command("vanish");
  }

  /** Waits for the end of the connection. */
  async closed(timeout = 30): Promise<End> {
    return (await this.command<{ end: End }>("closed", { timeout })).end;
  }

  /** Waits for GOAWAY; the ids of all that came. */
  async goaway(timeout = 30): Promise<number[]> {
    return (await this.command<{ goaways: number[] }>("goaway", { timeout })).goaways;
  }

  stats(): Promise<{
    datagramsIn: number;
    datagramsOut: number;
    bytesIn: number;
    bytesOut: number;
    goaways: number[];
    settings: Record<string, number> | null;
    end: End | null;
  }> {
    return this.command("stats");
  }
}

/** One request of a {@link Connection}, while it runs. */
export class Exchange {
  constructor(
    readonly connection: Connection,
    readonly stream: number,
  ) {}

  #command<T>(what: string, args: object = {}): Promise<T> {
    return this.connection.command<T>(what, { stream: this.stream, ...args });
  }

  /** Waits for the headers, so many bytes of body, the server's STOP_SENDING, or the end, and gives what is there. */
  response(until: "headers" | "stopped" | "end" | number = "end", timeout = 30): Promise<Report> {
    return this.#command("response", { until, timeout });
  }

  /** Sends more of the body and waits until QUIC has taken it. */
  send(body: Piece[], end = false): Promise<Report> {
    return this.#command("send", { body, end });
  }

  /** Waits until QUIC has taken all of the body so far. */
  sent(timeout = 60): Promise<Report> {
    return this.#command("sent", { timeout });
  }

  trailers(headers: Field[]): Promise<void> {
    return this.#command("trailers", { headers });
  }

  reset(code = 0x10c): Promise<void> {
    return this.#command("reset", { code });
  }

  stopSending(code = 0x10c): Promise<void> {
    return this.#command("stop", { code });
  }

  /** Gives the request up, both ways, as a browser does. */
  async abort(code = 0x10c): Promise<void> {
    await this.reset(code);
    await this.stopSending(code);
  }

  /** Lets a held response come on: so many bytes, or all. */
  allow(bytes?: number): Promise<void> {
    return this.#command("allow", { bytes });
  }

  /** How far QUIC has got on the stream, each way. */
  progress(): Promise<{ response: Report; sent: number; acknowledged: number; received: number }> {
    return this.#command("progress");
  }

  /** More frames by hand; `pace` sends a byte at a time, so many ms apart, and `hold` the last one only when release() says so. */
  write(frames: Frame[], options: { end?: boolean; pace?: number; hold?: boolean } = {}): Promise<void> {
    return this.#command("write", { frames, ...options });
  }

  /** Lets the last byte go of what is written with `hold`. */
  release(): Promise<void> {
    return this.#command("release");
  }
}

/** A whole response, with the questions that tests ask of one. */
export class Answer {
  readonly status: number | null;

  constructor(readonly report: Report) {
    this.status = report.status;
  }

  header(name: string): string | null {
    const values = this.headers(name);
    return values.length === 0 ? null : values.join(", ");
  }

  headers(name: string): string[] {
    return this.report.headers.filter(([n]) => n === name).map(([, value]) => value);
  }

  get bytes(): Uint8Array {
    if (this.report.body === null) throw new Error(`a body of ${this.report.bytes} bytes was not kept`);
    return new Uint8Array(Buffer.from(this.report.body, "base64"));
  }

  get text(): string {
    return new TextDecoder().decode(this.bytes);
  }

  json<T = unknown>(): T {
    return JSON.parse(this.text) as T;
  }
}

/** Bun's own HTTP/3 client. It takes any certificate. */
export function http3(port: number, path: string, init: RequestInit = {}): Promise<Response> {
  const options = { ...init, protocol: "http3", tls: { rejectUnauthorized: false } };
  return fetch(`https://127.0.0.1:${port}${path}`, options as RequestInit);
}

/** SHA-256, as the driver reports it. */
export function sha256(data: string | Uint8Array): string {
  return new Bun.CryptoHasher("sha256").update(data).digest("hex");
}
