/**
 * What every suite begins with: a client of another make, servers that are closed when the suite ends, and the check that nothing
 * of theirs is left.
 */
import { afterAll, afterEach, expect, setDefaultTimeout } from "bun:test";
import {
  createH3Client,
  createH3Server,
  type H3Client,
  type H3ClientOptions,
  type H3Server,
  type H3ServerOptions,
  type WebTransportServerSession,
} from "../../bindings/bun/src/index.ts";
import { Browser, BrowserGone, type Page } from "./browser.ts";
import { certificate } from "./certificate.ts";
import { Driver, type Answer, type Connection, type ConnectOptions, type RequestOptions } from "./client.ts";
import { GoDriver, type GoConnection, type GoConnectOptions } from "./wtgo.ts";

export { certificate };

/**
 * Whether the clients of this run offer DATAGRAM, as browsers do: H3_CLIENTS=datagram says so. Then every server takes sessions, too,
 * beside what a test has for it. A test may still say for a connection of its own what it offers.
 */
export const offersDatagram = process.env.H3_CLIENTS === "datagram";

/** Milliseconds that something may take which must come: they are only over where a test fails. */
export const PATIENCE = 30_000;

/** A server of Bun's own, on HTTP/3 and HTTP/1 at the same port, to hold answers against. */
export type Reference = Bun.Server<undefined>;

/** The parts of one test file. */
export class Suite {
  #driver: Driver | undefined;
  #go: GoDriver | undefined;
  #browser: Promise<Browser> | undefined;
  #restarted = false;
  #pages: Page[] = [];
  #goConnections: GoConnection[] = [];
  #servers: H3Server[] = [];
  #references: Reference[] = [];
  #connections: Connection[] = [];
  #clients: H3Client[] = [];

  constructor() {
    setDefaultTimeout(60_000); // The machine may be busy with other suites: nothing fails for being slow.
    afterEach(async () => {
      for (const connection of this.#connections.splice(0)) await connection.close();
      for (const connection of this.#goConnections.splice(0)) await connection.close();
      for (const page of this.#pages.splice(0)) await page.close();
    });
    afterAll(() => this.#end());
  }

  get driver(): Driver {
    return (this.#driver ??= new Driver());
  }

  get go(): GoDriver {
    return (this.#go ??= new GoDriver());
  }

  /** Chromium, started when it is first asked for. */
  browser(): Promise<Browser> {
    return (this.#browser ??= Browser.start());
  }

  /**
   * A tab for one test, whose sessions go to a server: it is closed when that ends. A browser that has ended, or hangs, is started
   * anew, once: that it does so is no failure of what is tested.
   */
  async page(server: H3Server): Promise<Page> {
    const target = { url: `https://127.0.0.1:${server.port}`, hash: String(server.certificateHash) };
    let page: Page;
    try {
      page = await (await this.browser()).page(target);
    } catch (error) {
      if (!(error instanceof BrowserGone) || this.#restarted) throw error;
      this.#restarted = true;
      console.error(`the browser is started anew. ${error.message}`);
      await (await this.#browser?.catch(() => undefined))?.close();
      this.#browser = undefined;
      page = await (await this.browser()).page(target);
    }
    this.#pages.push(page);
    return page;
  }

  /** A connection of webtransport-go's for one test: it is closed when that ends. */
  async goConnect(server: { port?: number | undefined }, options?: GoConnectOptions): Promise<GoConnection> {
    if (server.port === undefined) throw new Error("a server without a port");
    const connection = await this.go.connect(server.port, options);
    this.#goConnections.push(connection);
    return connection;
  }

  /** Our server, on a port that the system chooses. */
  serve(options: H3ServerOptions): H3Server {
    const server = createH3Server({ port: 0, hostname: "127.0.0.1", ...(offersDatagram ? withSessions(options) : options) });
    this.#servers.push(server);
    return server;
  }

  /** A client of ours, which believes in one server: it is closed when the suite ends. */
  client(server: H3Server | undefined, options: H3ClientOptions = {}): H3Client {
    const client = createH3Client(server === undefined ? options : { serverCertificateHashes: [server.certificateHash], ...options });
    this.#clients.push(client);
    return client;
  }

  /** As serve(), with sessions of any origin at "/wt". */
  serveSessions(webtransport: (session: WebTransportServerSession) => unknown): H3Server {
    return this.serve({
      webtransport: { origins: ["*"] },
      routes: { "/wt": { webtransport: async (session) => void (await webtransport(session)) } },
    });
  }

  /** Bun's own server with the same options. */
  reference(options: object): Reference {
    const { certPath, keyPath } = certificate("reference");
    const server = listening({
      port: 0,
      hostname: "127.0.0.1",
      development: false,
      http3: true,
      tls: { cert: Bun.file(certPath), key: Bun.file(keyPath) },
      ...options,
    });
    this.#references.push(server);
    return server;
  }

  /** A connection for one test: it is closed when that ends. */
  async connect(server: { port?: number | undefined }, options?: ConnectOptions): Promise<Connection> {
    if (server.port === undefined) throw new Error("a server without a port");
    const connection = await this.driver.connect(server.port, offersDatagram ? { datagrams: true, ...options } : options);
    this.#connections.push(connection);
    return connection;
  }

  /**
   * Sends the same requests to a server of ours and to one of Bun's, both made with these options, and expects the same answers:
   * status, fields (in any order, without date, and without the content-length of 0 that ours gives and Bun's leaves out), body,
   * and how the stream ended. Returns ours.
   */
  async same(options: H3ServerOptions, requests: [path: string, options?: RequestOptions][]): Promise<Answer[]> {
    const [ours, theirs] = [this.serve(options), this.reference(options)];
    const [a, b] = [await this.connect(ours), await this.connect(theirs)];
    const answers: Answer[] = [];
    for (const [path, init] of requests) {
      const authority = "same.example";
      const [mine, reference] = [await a.fetch(path, { authority, ...init }), await b.fetch(path, { authority, ...init })];
      expect(comparable(path, mine)).toEqual(comparable(path, reference));
      answers.push(mine);
    }
    await a.close();
    await b.close();
    return answers;
  }

  async #end(): Promise<void> {
    const errors = [await this.#driver?.stop(), await this.#go?.stop()].join("");
    await (await this.#browser?.catch(() => undefined))?.close();
    for (const client of this.#clients) await client.close();
    for (const server of this.#servers) {
      // Connections may be left: Bun's fetch keeps its own for later.
      if (server.running)
        await until(
          () => server.stats().requests_active === 0,
          PATIENCE,
          () => JSON.stringify(server.stats()),
        );
      await server.close();
    }
    for (const reference of this.#references) await reference.stop(true);
    expect(errors).toBe("");
  }
}

/** Makes a server of Bun's own: it takes a free port of TCP, and that of UDP may be somebody's. */
function listening(options: object): Reference {
  for (let tries = 0; ; tries++) {
    try {
      return Bun.serve(options as unknown as Bun.Serve.Options<undefined>);
    } catch (error) {
      if (tries === 20 || !/UDP port/.test(String(error))) throw error;
    }
  }
}

/** The same options, and a route for sessions that no test asks for. */
function withSessions(options: H3ServerOptions): H3ServerOptions {
  const webtransport = (session: WebTransportServerSession): void => void session.reject(404);
  const { routes } = options;
  if (!Array.isArray(routes)) return { ...options, routes: { ...(routes as object), "/.sessions": { webtransport } } };
  return { ...options, routes: [...routes, { pattern: "/.sessions", webtransport }] };
}

/** As {@link settled}; but a browser keeps its connections for a while. */
export async function settledButConnections(server: H3Server): Promise<void> {
  await settled(server, PATIENCE, ["requests_active", "sessions_active", "session_streams_active"]);
}

const everything = ["requests_active", "sessions_active", "session_streams_active", "connections_active"];

/** Waits until a server has no request, session, stream or connection left, or none of what is named; fails when it keeps some. */
export async function settled(server: H3Server, within = PATIENCE, kinds: string[] = everything): Promise<void> {
  await until(
    () => {
      const stats = server.stats();
      return kinds.every((kind) => stats[kind] === 0);
    },
    within,
    () => `nothing left open, but: ${JSON.stringify(server.stats())}`,
  );
}

/** Waits for something to become true. */
export async function until(holds: () => boolean, within = PATIENCE, what: () => string = () => String(holds)): Promise<void> {
  const deadline = performance.now() + within;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`not within ${within} ms: ${what()}`);
    await Bun.sleep(5);
  }
}

/**
 * What a promise rejects with. Not `rejects` of bun:test: that runs Bun's event loop inside of itself, and what the round outside had still
 * to deliver is lost, a queue's wake-up among it.
 */
export function failure(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    (value) => Promise.reject(new Error(`it gave ${Bun.inspect(value)}`)),
    (error: unknown) => error,
  );
}

/** A promise with its ends on the outside: the gate that a handler or a test waits at. */
export function gate<T = void>(): { promise: Promise<T>; open: (value: T) => void } {
  const { promise, resolve } = Promise.withResolvers<T>();
  return { promise, open: resolve };
}

function comparable(path: string, answer: Answer): object {
  const { report } = answer;
  const boundary = /boundary="?([^";]+)/.exec(answer.header("content-type") ?? "")?.[1];
  const plain = (text: string): string => (boundary === undefined ? text : text.replaceAll(boundary, "BOUNDARY"));
  return {
    path,
    status: report.status,
    headers: report.headers
      .filter(([name, value]) => name !== "date" && !(name === "content-length" && value === "0"))
      .map(([name, value]) => `${name}: ${plain(value)}`)
      .sort(),
    body: report.body === null ? report.sha256 : plain(answer.text),
    ended: report.ended,
    reset: report.reset,
  };
}
