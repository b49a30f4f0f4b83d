/** webtransport-go's own client, in a process of its own (tests/peers/wtgo). */
import { join } from "node:path";
import { Lines } from "./lines.ts";

const program = join(import.meta.dir, "../../build/tests/wtgo");

export interface GoConnectOptions {
  /** Streams that the server may open in a session. Sessions share a connection only where these limits are named. */
  maxBidi?: number;
  maxUni?: number;
  /** Subprotocols to offer. */
  protocols?: string[];
  /** Receive window of a stream in bytes. */
  window?: number;
  /** Milliseconds between signs of life while it rests; by default it gives none. */
  keepAlive?: number;
}

/** A session that was refused has number 0 and its status. */
interface Dialled {
  session: number;
  status: number;
  protocol?: string;
  headers?: Record<string, string>;
  error?: string;
}

export interface GoClosed {
  remote?: boolean;
  code?: number;
  reason?: string;
  error?: string;
}

/** How often something went well, and the first failures. */
export interface Tally {
  well: number;
  failures: string[];
}

export class GoDriver {
  #lines = new Lines("webtransport-go", [program]);

  async command<T>(what: string, args: object = {}): Promise<T> {
    return (await this.#lines.command<{ value: T }>(what, args)).value;
  }

  async connect(port: number, options: GoConnectOptions = {}): Promise<GoConnection> {
    return new GoConnection(this, await this.command("connect", { port, maxBidi: 1000, maxUni: 1000, ...options }));
  }

  /** Opens and closes so many sessions, each on a connection of its own, `inside` of them side by side. */
  churn(
    port: number,
    path: string,
    args: { count: number; inside: number; size?: number; code?: number; reason?: string; timeout?: number },
  ): Promise<Tally> {
    return this.command("churn", { port, path, maxBidi: 1000, maxUni: 1000, ...args });
  }

  stop(): Promise<string> {
    return this.#lines.stop();
  }
}

export class GoConnection {
  constructor(
    readonly driver: GoDriver,
    readonly number: number,
  ) {}

  /** Asks for a session; see {@link GoConnection.session}. */
  dial(path: string, options: { origin?: string; headers?: Record<string, string>; timeout?: number } = {}): Promise<Dialled> {
    return this.driver.command("session", { conn: this.number, path, ...options });
  }

  /** A session that the server accepts. */
  async session(path: string, options: { origin?: string; headers?: Record<string, string> } = {}): Promise<GoSession> {
    const dialled = await this.dial(path, options);
    if (dialled.session === 0) throw new Error(`no session: ${dialled.error}`);
    return new GoSession(this.driver, dialled);
  }

  get(path: string): Promise<{ status: number; body: string }> {
    return this.driver.command("get", { conn: this.number, path });
  }

  /** As {@link GoDriver.churn}, all on this connection. */
  churn(path: string, args: { count: number; inside: number; size?: number; timeout?: number }): Promise<Tally> {
    return this.driver.command("churn", { conn: this.number, path, ...args });
  }

  /** Opens so many sessions, `inside` at a time, and leaves them open. */
  hold(path: string, args: { count: number; inside: number; timeout?: number }): Promise<Tally> {
    return this.driver.command("hold", { conn: this.number, path, ...args });
  }

  close(): Promise<void> {
    return this.driver.command("disconnect", { conn: this.number });
  }

  /** Takes its socket away: nothing is sent any more. */
  vanish(): Promise<void> {
    return this.driver.command("vanish", { conn: this.number });
  }
}

export class GoSession {
  constructor(
    readonly driver: GoDriver,
    readonly dialled: Dialled,
  ) {}

  #command<T>(what: string, args: object = {}): Promise<T> {
    return this.driver.command(what, { session: this.dialled.session, ...args });
  }

  /** Sends a datagram, or the same one several times. */
  send(data: string | Uint8Array, count = 1): Promise<void> {
    return this.#command("datagram", { data: base64(data), count });
  }

  /** The next datagrams, as text. */
  async receive(count = 1, timeout?: number): Promise<string[]> {
    const came = await this.#command<string[]>("receive", { count, ...(timeout === undefined ? {} : { timeout }) });
    return came.map((data) => Buffer.from(data, "base64").toString());
  }

  /** Sends so many numbered datagrams, `pace` microseconds apart, without waiting for answers. */
  burst(count: number, options: { size?: number; pace?: number } = {}): Promise<number> {
    return this.#command("burst", { count, ...options });
  }

  /** Sends so many datagrams to a server that echoes them, `inside` of them in flight. */
  pingpong(count: number, inside: number, size: number): Promise<{ sent: number; answered: number; wrong: number }> {
    return this.#command("pingpong", { count, inside, size, timeout: 30_000 });
  }

  /** Opens so many streams to a server that echoes them, and compares. */
  echoes(args: { count: number; inside: number; size: number; uni?: boolean; timeout?: number }): Promise<Tally> {
    return this.#command("echoes", { timeout: 60_000, ...args });
  }

  async open(options: { uni?: boolean; data?: string | Uint8Array; size?: number; end?: boolean; timeout?: number } = {}): Promise<GoStream> {
    const { data, ...rest } = options;
    const stream = await this.#command<number>("open", { ...rest, ...(data === undefined ? {} : { data: base64(data) }) });
    return new GoStream(this.driver, stream);
  }

  async accept(options: { uni?: boolean; timeout?: number } = {}): Promise<GoStream> {
    return new GoStream(this.driver, await this.#command<number>("accept", options));
  }

  /** Keying material of the session with this id, in base64. */
  exported({ id, label, context, size }: { id: number; label: string; context: string; size: number }): Promise<string> {
    return this.#command("export", { code: id, data: base64(label), reason: context, size });
  }

  close(code = 0, reason = ""): Promise<void> {
    return this.#command("close", { code, reason });
  }

  closed(timeout?: number): Promise<GoClosed> {
    return this.#command("closed", timeout === undefined ? {} : { timeout });
  }
}

export class GoStream {
  constructor(
    readonly driver: GoDriver,
    readonly number: number,
  ) {}

  #command<T>(what: string, args: object = {}): Promise<T> {
    return this.driver.command(what, { stream: this.number, ...args });
  }

  write(data: string | { size: number }, end = false): Promise<void> {
    return this.#command("write", { ...(typeof data === "string" ? { data: base64(data) } : data), end });
  }

  end(): Promise<void> {
    return this.#command("end");
  }

  /** Reads so many bytes, or all. */
  read(count?: number): Promise<{ bytes: number; sha256: string; data?: string }> {
    return this.#command("read", count === undefined ? {} : { count });
  }

  async text(count?: number): Promise<string> {
    const { data } = await this.read(count);
    return Buffer.from(data ?? "", "base64").toString();
  }

  reset(code: number): Promise<void> {
    return this.#command("reset", { code });
  }

  stop(code: number): Promise<void> {
    return this.#command("stop", { code });
  }

  /** Waits until the sending half is over; null when it was finished, else why it is not. */
  written(): Promise<string | null> {
    return this.#command("written");
  }
}

/** The bytes that the client writes when it is given a size. */
export function pattern(n: number): Uint8Array {
  return new Uint8Array(n).map((_, i) => i % 251);
}

function base64(data: string | Uint8Array): string {
  return Buffer.from(data).toString("base64");
}
