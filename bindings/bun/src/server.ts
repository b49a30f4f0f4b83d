/** The server: what Bun.serve() gives, for HTTP/3. */
import type { Call } from "./answer.ts";
import { CertificateHash } from "./certificate_hash.ts";
import type { Connection, SocketAddress } from "./connection.ts";
import type { Dispatcher, Target } from "./dispatcher.ts";
import type { Exchange } from "./exchange.ts";
import { callLogged } from "./failure.ts";
import { keptOrMade } from "./hot.ts";
import { check, library } from "./library.ts";
import type { Log, LogRecord } from "./log.ts";
import { scratch } from "./memory.ts";
import { addRoute, newServer } from "./native_server.ts";
import { checkOptions, checkReload, type Handlers } from "./options.ts";
import type { OriginCheck } from "./origins.ts";
import { Pump } from "./pump.ts";
import type { QuicDatagramHandler } from "./quic_datagram.ts";
import { refuse, refuseTooLarge } from "./refusal.ts";
import { H3Request } from "./request.ts";
import type { Route, Unmatched } from "./route_table.ts";
import { serverStats } from "./stats.ts";
import type { ErrorHandler, H3ServerOptions, Handler, ReloadOptions, RouteDefinition } from "./types.ts";

/** What is left of a server that was dropped without close(): enough to free it. */
interface Remains {
  handle: number;
  /** Indices of its targets. */
  targets: number[];
  pump: Pump;
  log: Log;
}

const dropped = new FinalizationRegistry<Remains>(({ handle, targets, pump, log }) => {
  log.write(null, { level: "warn", tier: "config", message: "a server was dropped without close(): it is freed now" });
  library().zig_h3_server_free(handle);
  for (const index of targets) pump.dispatcher.removeTarget(index);
  pump.release();
});

/**
 * An HTTP/3 server. It serves from its making on.
 *
 * A server that runs is kept alive, and keeps the process alive, until it is stopped or unref()ed, as with Bun.serve(). One that has
 * stopped is freed by close(), by `using`, or at last by the garbage collector.
 */
export class H3Server {
  /** `id` of the options, else `""`. */
  readonly id: string;
  /** `hostname` of the options, else `"localhost"`, as in Bun.serve(). */
  readonly hostname: string;
  /** `development` of the options. */
  readonly development: boolean;
  /** Always `"https"`: there is no HTTP/3 without TLS. */
  readonly protocol = "https";

  /** The request whose handler is being called, which need not be in the dispatcher's books yet. @internal */
  answering: Call | undefined;
  /** @internal */
  readonly pump: Pump;
  /** Bytes that a request's body may have. @internal */
  readonly bodyLimit: number;
  /** Which pages may open sessions, where a route does not say so. @internal */
  readonly origins: OriginCheck | undefined;
  /** How many datagrams of a session may wait to be read. @internal */
  readonly incomingDatagrams: number;

  #quicDatagram: QuicDatagramHandler | undefined;
  /** Which kinds of routes the engine was started with: others cannot be added. */
  #kinds: { h3Datagram: boolean; webtransport: boolean };
  #handle: number;
  #handlers: Handlers;
  #log: Log;
  #port: number;
  #targets = new Map<string, { target: Target; index: number }>();
  #remains: Remains;
  #running = false;
  #closed = false;
  #ref = true;
  #stopping: { promise: Promise<void>; resolve: () => void } | undefined;

  /**
   * Makes a server and starts it.
   * @throws TypeError or RangeError that names a wrong option
   * @throws H3Error when the certificate cannot be used, or the address cannot be bound (EADDRINUSE, EACCES, …)
   */
  constructor(options: H3ServerOptions) {
    const checked = checkOptions(options);
    this.id = checked.id;
    this.hostname = checked.hostname ?? "localhost";
    this.development = checked.development;
    this.bodyLimit = checked.bodyLimit;
    this.origins = checked.origins;
    this.incomingDatagrams = checked.incomingDatagrams;
    this.#quicDatagram = checked.quicDatagram;
    this.#kinds = kinds(checked.handlers);
    this.#log = checked.log;
    this.#handlers = checked.handlers;
    this.#port = checked.port;
    this.pump = Pump.acquire(checked.interval);
    try {
      this.#handle = newServer(this.pump.queue, checked);
    } catch (error) {
      this.pump.release();
      throw error;
    }
    this.#remains = { handle: this.#handle, targets: [], pump: this.pump, log: this.#log };
    dropped.register(this, this.#remains, this);
    try {
      this.#addTargets(this.#handlers);
      this.#assignRoutes();
      this.start();
    } catch (error) {
      this.#free();
      throw error;
    }
  }

  /** The UDP port that it serves at: after a stop the one that it had. As in Bun.serve(). */
  get port(): number {
    return this.#port;
  }

  /** Where it serves: `https://localhost:port/` when bound to all addresses. */
  get url(): URL {
    const any = this.hostname === "0.0.0.0" || this.hostname === "::";
    const host = any ? "localhost" : this.hostname.includes(":") ? `[${this.hostname}]` : this.hostname;
    return new URL(`https://${host}:${this.#port}/`);
  }

  /** Whether it takes requests, or is still finishing some. */
  get running(): boolean {
    return this.#running;
  }

  /** Whether it was told to stop and has not come to its end. @internal */
  get stopping(): boolean {
    return this.#stopping !== undefined;
  }

  /** Requests whose answers are not complete. As in Bun.serve(). */
  get pendingRequests(): number {
    let pending = this.answering !== undefined && this.answering.exchange === undefined ? 1 : 0;
    for (const exchange of this.dispatcher.exchanges.values()) if (exchange.target.server === this) pending++;
    return pending;
  }

  /** SHA-256 of the certificate, for `serverCertificateHashes` of a browser's WebTransport. As text it is hex. */
  get certificateHash(): CertificateHash {
    this.#mustLive();
    const memory = scratch();
    check(library().zig_h3_server_certificate_hash(this.#handle, memory.results));
    return CertificateHash.from(memory.bytes.subarray(0, 32)) as CertificateHash;
  }

  /**
   * Serves again after a stop(). Does nothing on a server that runs.
   * @throws H3Error when the address cannot be bound, or while the server is still stopping; Error after close(), and
   * once what brings its events has failed (see `onLog`)
   */
  start(): this {
    this.#mustLive();
    if (this.dispatcher.dead) throw new Error("the server's queue has failed, no event comes from it any more: make a new server");
    if (this.#running && this.#stopping === undefined) return this;
    const native = library();
    check(native.zig_h3_server_start(this.#handle));
    const memory = scratch();
    check(native.zig_h3_server_port(this.#handle, memory.results));
    this.#port = memory.words[0]! & 0xffff;
    this.#running = true;
    for (const { target } of this.#targets.values()) target.server = this;
    this.dispatcher.servers.set(this.#handle, this);
    if (this.#ref) this.pump.ref();
    return this;
  }

  /**
   * Stops taking connections and requests. As in Bun.serve().
   * @param force false: requests that run are finished first; true: all is ended now; `{ deadline }`: they have so many ms
   * @returns resolves when all has ended. May be called again, also to force what is going on
   * @throws TypeError or RangeError for a deadline that is none
   */
  stop(force: boolean | { deadline: number } = false): Promise<void> {
    const deadline = checkDeadline(force);
    if (!this.#running) return Promise.resolve();
    this.#stopping ??= Promise.withResolvers<void>();
    const { promise } = this.#stopping;
    const code = library().zig_h3_server_stop(this.#handle, deadline);
    for (const session of this.dispatcher.sessions.sessions.values()) if (session.host === this) session.drains();
    // An engine that has died stops nothing, and nothing goes on.
    if (code < 0) this.stopped();
    return promise;
  }

  /** Stops by force and frees what the server holds; afterwards it cannot be started again. May be called again. */
  async close(): Promise<void> {
    if (this.#closed) return this.#stopping?.promise;
    this.#closed = true;
    if (!this.#running) {
      this.#free();
      return;
    }
    await this.stop(true);
  }

  /** As below, with routes as a list. */
  reload(options: ReloadOptions & { routes: readonly RouteDefinition[] }): this;
  /**
   * Replaces routes, fetch and error, as in Bun.serve(): requests that run keep their handlers, later ones get the new ones.
   * @throws TypeError that names a wrong option; then all stays as it was
   */
  reload<Path extends string = string>(options: ReloadOptions<Path>): this;
  reload(options: ReloadOptions<never>): this {
    this.#mustLive();
    const { handlers, onLog, hasLog } = checkReload(options, this.#quicDatagram !== undefined);
    const wanted = kinds(handlers);
    for (const kind of ["h3Datagram", "webtransport"] as const) {
      if (wanted[kind] && !this.#kinds[kind]) {
        throw new TypeError(`reload() cannot add the first route with ${kind}: clients are told of it when they connect`);
      }
    }
    this.#addTargets(handlers);
    this.#handlers = handlers;
    if (hasLog) this.#log.hook = onLog;
    this.#assignRoutes();
    return this;
  }

  /** The client's address of a request of this server; null once its connection has ended. As in Bun.serve(). */
  requestIP(request: Request): SocketAddress | null {
    if (!(request instanceof H3Request)) return null;
    return this.dispatcher.connections.get(H3Request.connection(request))?.remote ?? null;
  }

  /**
   * The server's counters by the names that the library gives them, e.g. `requests_total`. They stay readable after a stop.
   * @throws Error after close()
   */
  stats(): Record<string, number> {
    this.#mustLive();
    return serverStats(this.#handle);
  }

  /** Lets the server keep the process alive, as it does from the start. As in Bun.serve(). */
  ref(): void {
    if (this.#ref) return;
    this.#ref = true;
    if (this.#running) this.pump.ref();
  }

  /** Lets the process end though the server runs. As in Bun.serve(). Until then it looks for requests every 2 ms. */
  unref(): void {
    if (!this.#ref) return;
    this.#ref = false;
    if (this.#running) this.pump.unref();
  }

  /** close(), for `using`. */
  [Symbol.dispose](): void {
    void this.close();
  }

  /** close(), for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** What JSON.stringify() and console.log() show: the server, not the machinery behind it. */
  toJSON(): { url: string; id: string; development: boolean; running: boolean; pendingRequests: number } {
    const { url, id, development, running, pendingRequests } = this;
    return { url: url.href, id, development, running, pendingRequests };
  }

  /** @internal */
  [Bun.inspect.custom](): string {
    return `H3Server ${Bun.inspect(this.toJSON())}`;
  }

  /** @internal */
  get dispatcher(): Dispatcher {
    return this.pump.dispatcher;
  }

  /** What answers where no route does. @internal */
  get fallback(): Handler | undefined {
    return this.#handlers.fetch;
  }

  /** @internal */
  get errorHook(): ErrorHandler | undefined {
    return this.#handlers.error;
  }

  /** Passes a message on. @internal */
  report(record: LogRecord): void {
    this.#log.write(this, record);
  }

  /** Finds what answers a request whose route a reload took away. @internal */
  reroute(method: string, path: string): Route | Unmatched {
    return this.#handlers.table.match(method, path);
  }

  /** Finds who decides on a session whose route a reload took away. @internal */
  rerouteSession(path: string): Route | undefined {
    return this.#handlers.table.matchSession(path);
  }

  /** Brings a raw datagram to its handler. @internal */
  quicDatagram(payload: Uint8Array<ArrayBuffer>, connection: Connection): void {
    callLogged(this, "quicDatagram", () => this.#quicDatagram?.call(this, payload, connection.datagrams(this.pump)));
  }

  /** Answers a request that no handler sees. @internal */
  refuse(handle: number, why: Unmatched | { status: 400 | 413 }, exchange: Exchange | undefined): void {
    refuse(this, handle, why.status, "allow" in why ? why.allow : "", exchange);
  }

  /** Ends a request whose body has grown over the limit. @internal */
  tooLarge(exchange: Exchange): void {
    refuseTooLarge(this, exchange);
  }

  /** The engine says that all has ended. @internal */
  stopped(): void {
    if (!this.#running) return;
    this.#running = false;
    for (const { target } of this.#targets.values()) target.server = undefined;
    this.dispatcher.servers.delete(this.#handle);
    if (this.#ref) this.pump.unref();
    const stopping = this.#stopping;
    if (this.#closed) this.#free();
    else this.#stopping = undefined;
    stopping?.resolve();
  }

  #mustLive(): void {
    if (this.#closed) throw new Error("the server is closed");
  }

  #free(): void {
    this.#closed = true;
    dropped.unregister(this);
    library().zig_h3_server_free(this.#handle);
    for (const index of this.#remains.targets) this.dispatcher.removeTarget(index);
    this.pump.release();
  }

  /** Tells the engine of the routes that it does not know yet. Until they are assigned, their requests go where they went before. */
  #addTargets({ table }: Handlers): void {
    for (const route of table.routes) {
      const key = targetKey(route);
      if (this.#targets.has(key)) continue;
      const target: Target = { server: this.#running ? this : undefined, route: undefined };
      const index = this.dispatcher.addTarget(target);
      this.#remains.targets.push(index);
      this.#targets.set(key, { target, index });
      addRoute(this.#handle, route, index);
    }
  }

  /** Gives each target the route that it stands for now. */
  #assignRoutes(): void {
    for (const { target } of this.#targets.values()) target.route = undefined;
    for (const route of this.#handlers.table.routes) this.#targets.get(targetKey(route))!.target.route = route;
  }
}

/** The same for all routes that one target can stand for. */
function targetKey(route: Route): string {
  return `${route.key} ${route.buffered} ${route.h3Datagram !== undefined}`;
}

/** What the routes of a server take beside requests. */
function kinds({ table }: Handlers): { h3Datagram: boolean; webtransport: boolean } {
  return {
    h3Datagram: table.routes.some((route) => route.h3Datagram !== undefined),
    webtransport: table.routes.some((route) => route.webtransport !== undefined),
  };
}

/** The deadline of a stop() in ms: -1 is none. */
function checkDeadline(force: unknown): number {
  if (typeof force !== "object" || force === null) return force ? 0 : -1;
  const { deadline } = force as { deadline?: unknown };
  if (typeof deadline !== "number") throw new TypeError("stop() takes true, false or an object with a deadline in ms");
  if (!(deadline >= 0)) throw new RangeError(`the deadline of stop() must be a number of ms from 0, not ${deadline}`);
  return Math.min(Math.ceil(deadline), 0x7fffffff);
}

/** As below, with routes as a list. */
export function createH3Server(options: H3ServerOptions & { routes: readonly RouteDefinition[] }): H3Server;
/**
 * Makes an HTTP/3 server and starts it: Bun.serve() for HTTP/3.
 *
 *     const server = createH3Server({
 *       port: 4433,
 *       routes: { "/hello/:name": (request) => new Response(`hello ${request.params.name}`) },
 *       fetch: () => new Response("nothing here", { status: 404 }),
 *     });
 *
 * @throws TypeError or RangeError that names a wrong option
 * @throws H3Error when the certificate cannot be used, or the address cannot be bound (EADDRINUSE, EACCES, …)
 */
export function createH3Server<Path extends string = string>(options: H3ServerOptions<Path>): H3Server;
export function createH3Server(options: H3ServerOptions<never>): H3Server {
  return keptOrMade(options as H3ServerOptions, () => new H3Server(options as H3ServerOptions));
}

