/** The server: what Bun.serve() gives, for HTTP/3. */
import type { WebTransportCongestionControl } from "../common/congestion_control.ts";
import { attempt, callLogged } from "../common/failure.ts";
import type { Log, LogRecord } from "../common/log.ts";
import { H3Error } from "../native/errors.ts";
import { ERROR } from "../native/layout.ts";
import { check, lastError, library } from "../native/library.ts";
import { scratch } from "../native/memory.ts";
import { serverStats } from "../native/stats.ts";
import type { Connection, SocketAddress } from "../queue/connection.ts";
import type { Dispatcher, Owner } from "../queue/dispatcher.ts";
import { Pump } from "../queue/pump.ts";
import { datagramContext } from "../queue/quic_datagram.ts";
import { CertificateHash } from "./api/certificate_hash.ts";
import type { OriginCheck } from "./api/origins.ts";
import { H3Request } from "./api/request.ts";
import type { ErrorHandler, H3Server as Shown, H3ServerOptions, Handler, QuicDatagramHandler, ReloadOptions } from "./api/types.ts";
import { addRoute, newServer, removeRoute, routeFlags } from "./native_server.ts";
import { checkOptions, checkReload, type Handlers } from "./options/options.ts";
import { Arrival } from "./requests/arrival.ts";
import type { Exchange } from "./requests/exchange.ts";
import type { RequestHost } from "./requests/host.ts";
import { refuseTooLarge } from "./requests/refusal.ts";
import type { Route, Unmatched } from "./routes/route.ts";

/** What is left of a server that was dropped without close(): enough to free it. */
interface Remains {
  handle: number;
  /** Indices of its targets. */
  targets: Set<number>;
  pump: Pump;
  log: Log<Shown>;
}

const dropped = new FinalizationRegistry<Remains>(({ handle, targets, pump, log }) => {
  log.write(null, { level: "warn", tier: "config", message: "a server was dropped without close(): it is freed now" });
  library().zig_h3_server_free(handle);
  for (const index of targets) pump.dispatcher.removeTarget(index);
  pump.release();
});

/** A route as the engine knows it. */
interface Told {
  target: Arrival;
  index: number;
  route: Route;
}

/** What is behind an H3Server. Users see of it what api/types.ts says. */
export class H3Server implements RequestHost, Owner {
  readonly id: string;
  readonly hostname: string;
  readonly development: boolean;
  readonly protocol = "https";

  /** The request whose handler is being called, which need not be in the dispatcher's books yet. */
  answering: { readonly exchange: object | undefined } | undefined;
  readonly pump: Pump;
  /** Takes the requests of routes that a reload took away. */
  readonly late: Arrival;
  /** Bytes that a request's body may have. */
  readonly bodyLimit: number;
  /** Which pages may open sessions, where a route does not say so. */
  readonly origins: OriginCheck | undefined;
  /** How many datagrams of a session may wait to be read. */
  readonly incomingDatagrams: number;
  /** What sessions' congestion control is tuned for. */
  readonly congestionControl: WebTransportCongestionControl;
  readonly olderNames = true;

  #quicDatagram: QuicDatagramHandler | undefined;
  /** Which kinds of routes the engine was started with: others cannot be added. */
  #kinds: { h3Datagram: boolean; webtransport: boolean };
  #handle: number;
  #handlers: Handlers;
  #log: Log<Shown>;
  #port: number;
  /** By what the engine tells routes apart by. */
  #targets = new Map<string, Told>();
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
    this.congestionControl = checked.congestionControl;
    this.#quicDatagram = checked.quicDatagram;
    this.#kinds = kinds(checked.handlers);
    this.#log = checked.log;
    this.#handlers = checked.handlers;
    this.#port = checked.port;
    this.pump = Pump.acquire(checked.interval, checked.capacity);
    try {
      this.#handle = newServer(this.pump.queue, checked);
    } catch (error) {
      this.pump.release();
      throw error;
    }
    this.late = new Arrival(this.dispatcher.records);
    this.#remains = { handle: this.#handle, targets: new Set(), pump: this.pump, log: this.#log };
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

  get port(): number {
    return this.#port;
  }

  get url(): URL {
    const any = this.hostname === "0.0.0.0" || this.hostname === "::";
    const host = any ? "localhost" : this.hostname.includes(":") ? `[${this.hostname}]` : this.hostname;
    return new URL(`https://${host}:${this.#port}/`);
  }

  get running(): boolean {
    return this.#running;
  }

  /** Whether it was told to stop and has not come to its end. */
  get stopping(): boolean {
    return this.#stopping !== undefined;
  }

  get pendingRequests(): number {
    let pending = this.answering !== undefined && this.answering.exchange === undefined ? 1 : 0;
    for (const exchange of this.dispatcher.exchanges.values()) if (exchange.owner === this) pending++;
    return pending;
  }

  get certificateHash(): CertificateHash {
    this.#mustLive();
    const memory = scratch();
    check(library().zig_h3_server_certificate_hash(this.#handle, memory.results));
    return CertificateHash.from(memory.bytes.subarray(0, 32)) as CertificateHash;
  }

  start(): this {
    this.#mustLive();
    if (this.dispatcher.dead) throw new Error("the server's queue has failed, no event comes from it any more: make a new server");
    if (this.#stopping !== undefined) throw new H3Error(ERROR.WRONG_STATE, "the server is still stopping: wait for what stop() gave");
    if (this.#running) return this;
    const native = library();
    check(native.zig_h3_server_start(this.#handle));
    const memory = scratch();
    check(native.zig_h3_server_port(this.#handle, memory.results));
    this.#port = memory.words[0]! & 0xffff;
    this.#running = true;
    this.late.owner = this;
    for (const { target } of this.#targets.values()) target.owner = this;
    this.dispatcher.owners.set(this.#handle, this);
    this.pump.began(this.#ref);
    return this;
  }

  stop(force: boolean | { deadlineMs: number } = false): Promise<void> {
    const deadline = checkDeadline(force);
    if (!this.#running) return Promise.resolve();
    const code = library().zig_h3_server_stop(this.#handle, deadline);
    // It runs on as it did, stopping or not.
    if (code === ERROR.NO_MEMORY) return Promise.reject(lastError(code));
    this.#stopping ??= Promise.withResolvers<void>();
    const { promise } = this.#stopping;
    for (const session of this.dispatcher.sessions.sessions.values()) if (session.host === this) session.drains();
    // An engine that has died stops nothing, and nothing goes on. One that only has not answered yet (TIMEOUT) does it later.
    if (code < 0 && code !== ERROR.TIMEOUT) this.stopped();
    return promise;
  }

  async close(): Promise<void> {
    if (this.#closed) return this.#stopping?.promise;
    this.#closed = true;
    if (!this.#running) {
      this.#free();
      return;
    }
    await this.stop(true);
  }

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
    this.#removeTargets();
    return this;
  }

  requestIP(request: Request): SocketAddress | null {
    if (!H3Request.own(request)) return null;
    return this.dispatcher.connections.get(H3Request.connection(request))?.remote ?? null;
  }

  stats(): Record<string, number> {
    this.#mustLive();
    return serverStats(this.#handle);
  }

  ref(): void {
    if (this.#ref) return;
    this.#ref = true;
    if (this.#running) this.pump.ref();
  }

  unref(): void {
    if (!this.#ref) return;
    this.#ref = false;
    if (this.#running) this.pump.unref();
  }

  [Symbol.dispose](): void {
    void this.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  toJSON(): { url: string; id: string; development: boolean; running: boolean; pendingRequests: number } {
    const { url, id, development, running, pendingRequests } = this;
    return { url: url.href, id, development, running, pendingRequests };
  }

  [Bun.inspect.custom](): string {
    return `H3Server ${Bun.inspect(this.toJSON())}`;
  }

  get dispatcher(): Dispatcher {
    return this.pump.dispatcher;
  }

  /** What answers where no route does. */
  get fallback(): Handler | undefined {
    return this.#handlers.fetch;
  }

  get errorHook(): ErrorHandler | undefined {
    return this.#handlers.error;
  }

  /** Passes a message on. */
  report(record: LogRecord): void {
    this.#log.write(this, record);
  }

  /** Finds what answers a request whose route a reload took away. */
  reroute(method: string, path: string): Route | Unmatched {
    return this.#handlers.table.match(method, path);
  }

  /** Finds who decides on a session whose route a reload took away. */
  rerouteSession(path: string): Route | undefined {
    return this.#handlers.table.matchSession(path);
  }

  /** Brings a raw datagram to its handler. */
  quicDatagram(payload: Uint8Array<ArrayBuffer>, connection: Connection): void {
    callLogged(this, "quicDatagram", () => this.#quicDatagram?.call(this, payload, datagramContext(connection, this.pump)));
  }

  /** Ends a request whose body has grown over the limit. */
  tooLarge(exchange: Exchange): void {
    refuseTooLarge(this, exchange);
  }

  /** Ends it on the engine's side. */
  halt(): void {
    library().zig_h3_server_stop(this.#handle, 0);
  }

  /** The engine says that all has ended. */
  stopped(): void {
    if (!this.#running) return;
    this.#running = false;
    this.late.owner = undefined;
    for (const { target } of this.#targets.values()) target.owner = undefined;
    this.dispatcher.owners.delete(this.#handle);
    this.pump.ended(this.#ref);
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

  /**
   * Tells the engine of the routes that it does not know yet, or knows as taking something else. Until they are assigned, their requests go
   * where they went before.
   */
  #addTargets({ table }: Handlers): void {
    for (const route of table.routes) {
      const told = this.#targets.get(route.key);
      if (told !== undefined && routeFlags(told.route) === routeFlags(route)) continue;
      const target = new Arrival(this.dispatcher.records);
      if (this.#running) target.owner = this;
      const index = this.dispatcher.addTarget(target);
      try {
        addRoute(this.#handle, route, index, told !== undefined);
      } catch (error) {
        this.dispatcher.removeTarget(index);
        throw error;
      }
      this.#targets.set(route.key, { target, index, route });
      this.#remains.targets.add(index);
      if (told !== undefined) this.#forget(told);
    }
  }

  /** Gives each target the route that it stands for now. */
  #assignRoutes(): void {
    for (const { target } of this.#targets.values()) target.route = undefined;
    for (const route of this.#handlers.table.routes) this.#targets.get(route.key)!.target.route = route;
  }

  /** Takes away what stands for no route any more. What the engine cannot take away now finds nothing, and may go with the next reload. */
  #removeTargets(): void {
    for (const [key, told] of this.#targets) {
      if (told.target.route !== undefined) continue;
      attempt(() => {
        removeRoute(this.#handle, told.route);
        this.#targets.delete(key);
        this.#forget(told);
      });
    }
  }

  /** What comes for it from now on comes late. */
  #forget({ index }: Told): void {
    this.#remains.targets.delete(index);
    this.dispatcher.removeTarget(index);
  }
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
  const { deadlineMs } = force as { deadlineMs?: unknown };
  if (typeof deadlineMs !== "number") throw new TypeError("stop() takes true, false or an object with deadlineMs");
  if (!(deadlineMs >= 0)) throw new RangeError(`deadlineMs of stop() must be a number from 0, not ${deadlineMs}`);
  return Math.min(Math.ceil(deadlineMs), 0x7fffffff);
}
