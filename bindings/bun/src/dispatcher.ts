/** Reads events and brings each to whom it concerns. Handles nothing itself: requests go to answer.ts, the rest to their objects. */
import { answer } from "./answer.ts";
import { Connection } from "./connection.ts";
import { H3Error, errorName } from "./errors.ts";
import { Exchange } from "./exchange.ts";
import { about, attempt, inWords } from "./failure.ts";
import { H3DatagramContext } from "./h3_datagram.ts";
import { ERROR, EVENT, FLAG, H3_INTERNAL_ERROR, RECORD_SIZE } from "./layout.ts";
import { library } from "./library.ts";
import { LOG_LEVELS, type LogRecord } from "./log.ts";
import type { Pump, QueueMemory } from "./pump.ts";
import { AUX, CODE, CONN, DATA_LEN, HIGH, META_LEN, OBJECT, PARENT, RecordReader, STATUS, TYPE, USER_DATA } from "./record_reader.ts";
import { H3Request } from "./request.ts";
import { RequestBody } from "./request_body.ts";
import { HeadReader, type RequestHead } from "./request_head.ts";
import type { Route } from "./route_table.ts";
import type { H3Server } from "./server.ts";
import { askSession } from "./session_request.ts";
import { SessionEvents } from "./webtransport/session_events.ts";

/** Where requests of one native route go. Its index is the route's user data. */
export interface Target {
  /** Undefined while the server does not run: then nothing here keeps it from being collected. */
  server: H3Server | undefined;
  /** Undefined: a reload took it away, and the server looks for what has taken its place. */
  route: Route | undefined;
}

/** Events of requests that are there. WRITABLE is one of streams, too. */
const OF_REQUESTS: ReadonlySet<number> = new Set([
  EVENT.REQUEST,
  EVENT.BODY,
  EVENT.BODY_END,
  EVENT.WRITABLE,
  EVENT.STREAM_CLOSED,
  EVENT.H3_DATAGRAM,
]);

/** The name of an event type. */
function eventName(type: number): string {
  return Object.entries(EVENT).find(([, value]) => value === type)?.[0] ?? String(type);
}

/** The events of one queue. */
export class Dispatcher {
  /** Requests that are not answered yet, by handle. */
  readonly exchanges = new Map<number, Exchange>();
  /** Open connections, by handle. */
  readonly connections = new Map<number, Connection>();
  /** Running servers, by handle: they are kept alive by this. */
  readonly servers = new Map<number, H3Server>();
  /** Sessions and their streams. */
  readonly sessions: SessionEvents;
  /** The engine or the pump has failed for good. */
  dead = false;

  #targets: (Target | undefined)[] = [];
  #unused: number[] = [];
  #records: RecordReader;
  #u32: Uint32Array;
  #heads: HeadReader;

  constructor(
    readonly pump: Pump,
    memory: QueueMemory,
  ) {
    this.#records = new RecordReader(memory);
    this.#u32 = memory.u32;
    this.sessions = new SessionEvents(this.#records);
    this.#heads = new HeadReader(memory.bytes, memory.words);
  }

  /** Gives a target its index. */
  addTarget(target: Target): number {
    const index = this.#unused.pop() ?? this.#targets.length;
    this.#targets[index] = target;
    return index;
  }

  /** Takes a target's index back: no event of its server comes any more. */
  removeTarget(index: number): void {
    this.#targets[index] = undefined;
    this.#unused.push(index);
  }

  /**
   * Deals with the record at `at`, which stays as it is only until this returns. Never throws: what goes wrong with one record ends
   * what that record is about, and nothing else.
   */
  dispatch(at: number): void {
    try {
      this.#bring(at);
    } catch (error) {
      this.#failed(at, error);
    }
  }

  #bring(at: number): void {
    const word = at >>> 2;
    const u32 = this.#u32;
    const type = u32[word + TYPE]! & 0xffff;
    if (type === EVENT.REQUEST) return this.#request(at, word);
    if (type > EVENT.SESSION_REQUEST) return this.sessions.dispatch(type, at);
    const object = u32[word + OBJECT]! + u32[word + OBJECT + 1]! * HIGH;
    const flags = u32[word + TYPE]! >>> 16;
    switch (type) {
      case EVENT.BODY:
        return this.#body(object, this.#records.data(at));
      case EVENT.BODY_END:
        return this.#bodyEnd(object);
      case EVENT.WRITABLE:
        return this.#writable(object, flags);
      case EVENT.STREAM_CLOSED:
        return this.#closed(object, u32[word + CODE]! | 0, flags);
      case EVENT.CONN_OPENED: {
        const parent = u32[word + PARENT]! + u32[word + PARENT + 1]! * HIGH;
        this.connections.set(object, new Connection(object, parent, this.#records.meta(at)));
        return;
      }
      case EVENT.CONN_CLOSED:
        this.connections.delete(object);
        return;
      case EVENT.QUIC_DATAGRAM:
        return this.#quicDatagram(object, at);
      case EVENT.H3_DATAGRAM: {
        const datagrams = this.exchanges.get(object)?.datagrams;
        if (datagrams !== undefined) H3DatagramContext.deliver(datagrams, this.#records.data(at));
        return;
      }
      case EVENT.SESSION_REQUEST:
        return this.#sessionRequest(object, at, word);
      case EVENT.SERVER_STOPPED: {
        if ((u32[word + CODE]! | 0) === ERROR.IO) this.#log(object, "error", `the socket has failed: ${this.#records.text(at)}`);
        this.servers.get(object)?.stopped();
        return;
      }
      case EVENT.LOG: {
        const level = LOG_LEVELS[u32[word + STATUS]!] ?? "info";
        return this.#log(object, level, this.#records.text(at));
      }
      case EVENT.LOST: {
        const lost = u32[word + AUX]! + u32[word + AUX + 1]! * HIGH;
        return this.#log(0, "warn", `${lost} events were dropped, for the queue was full: ${eventName(u32[word + STATUS]!)}`);
      }
      case EVENT.FATAL:
        return this.broken(new H3Error(ERROR.FATAL, `the engine has failed: ${this.#records.text(at)}`));
      // SERVER_STARTED tells nothing that start() did not; later versions of the library may have more types.
    }
  }

  /** Nothing more will come: ends everything, on the engine's side too, where it lives. */
  broken(error: unknown): void {
    if (this.dead) return;
    this.dead = true;
    const native = library();
    const servers = [...this.servers];
    for (const [handle] of servers) native.zig_h3_server_stop(handle, 0); // an engine that has died stops nothing, and nothing goes on
    for (const exchange of [...this.exchanges.values()]) attempt(() => this.#end(exchange, error));
    this.sessions.broken();
    for (const [, server] of servers) {
      attempt(() => server.stopped());
      server.report({ level: "error", tier: "engine", message: inWords(error), error });
    }
  }

  /** Dealing with the record at `at` has thrown: tells so, and gives up what the record is about. */
  #failed(at: number, error: unknown): void {
    const u32 = this.#u32;
    const word = at >>> 2;
    const type = u32[word + TYPE]! & 0xffff;
    const object = u32[word + OBJECT]! + u32[word + OBJECT + 1]! * HIGH;
    const exchange = this.exchanges.get(object);
    const message = `${eventName(type)} could not be dealt with: ${inWords(error)}`;
    const request = exchange?.request === undefined ? {} : about(exchange.request);
    for (const owner of this.#owners(type, object, word)) owner.report({ level: "error", tier: "engine", message, error, ...request });
    if (type >= EVENT.SESSION_REQUEST || (type === EVENT.WRITABLE && exchange === undefined)) {
      this.sessions.giveUp(type, object, error);
    } else if (OF_REQUESTS.has(type)) {
      library().zig_h3_response_reset(object, H3_INTERNAL_ERROR); // stale by now is fine
      if (exchange !== undefined) attempt(() => this.#end(exchange, error));
    }
  }

  /** Whom a record concerns: all servers, where it cannot be told. */
  #owners(type: number, object: number, word: number): Iterable<{ report(record: LogRecord): void }> {
    const u32 = this.#u32;
    const asks = type === EVENT.REQUEST || type === EVENT.SESSION_REQUEST;
    const asked = asks ? this.#targets[u32[word + USER_DATA]!]?.server : this.exchanges.get(object)?.target.server;
    const conn = u32[word + CONN]! + u32[word + CONN + 1]! * HIGH;
    const owner = asked ?? this.servers.get(this.connections.get(conn)?.server ?? 0) ?? this.sessions.host(object);
    return owner === undefined ? [...this.servers.values()] : [owner];
  }

  #request(at: number, word: number): void {
    const u32 = this.#u32;
    const handle = u32[word + OBJECT]! + u32[word + OBJECT + 1]! * HIGH;
    const target = this.#targets[u32[word + USER_DATA]!];
    if (target?.server === undefined) {
      library().zig_h3_response_reset(handle, H3_INTERNAL_ERROR); // cannot be: no request comes after its server's end
      return;
    }
    const flags = u32[word + TYPE]! >>> 16;
    const conn = u32[word + CONN]! + u32[word + CONN + 1]! * HIGH;
    const head = this.#heads.read(at + RECORD_SIZE, u32[word + META_LEN]!);
    const data = u32[word + DATA_LEN]! === 0 ? null : this.#records.data(at);
    const { server } = target;
    const tooLarge = data !== null && data.length > server.bodyLimit;
    if ((flags & FLAG.END) !== 0 && tooLarge) {
      server.refuse(handle, { status: 413 }, undefined);
      return;
    }
    const datagrams = target.route?.h3Datagram !== undefined;
    if ((flags & FLAG.END) !== 0 && !datagrams) {
      this.#handle(target, handle, conn, head, data, undefined);
      return;
    }
    const exchange = new Exchange(handle, target);
    this.exchanges.set(handle, exchange);
    if (datagrams) exchange.streamId = u32[word + AUX]! + u32[word + AUX + 1]! * HIGH;
    if ((flags & FLAG.END) !== 0) {
      this.#handle(target, handle, conn, head, data, exchange);
      return;
    }
    if ((flags & FLAG.BUFFERED) !== 0) {
      exchange.pieces = data === null ? [] : [data];
      exchange.begin = (pieces) => {
        this.exchanges.delete(handle);
        this.#handle(target, handle, conn, head, pieces.length === 0 ? null : Buffer.concat(pieces), undefined);
      };
      return;
    }
    exchange.body = new RequestBody(handle, data);
    if (tooLarge || Number(head.init.headers.get("content-length")) > server.bodyLimit) {
      server.tooLarge(exchange);
      return;
    }
    this.#handle(target, handle, conn, head, exchange.body.stream, exchange);
  }

  #handle(
    target: Target,
    handle: number,
    conn: number,
    head: RequestHead,
    body: Uint8Array | ReadableStream<Uint8Array> | null,
    exchange: Exchange | undefined,
  ): void {
    const server = target.server!;
    const route = target.route ?? server.reroute(head.method, head.path);
    if (!("handler" in route)) {
      server.refuse(handle, route, exchange);
      return;
    }
    let request: H3Request;
    try {
      const init = body === null ? head.init : ({ ...head.init, body, duplex: "half" } as RequestInit);
      request = new H3Request(head.url, init, head, route, conn);
    } catch (error) {
      // An authority that makes no URL: the client's fault.
      server.report({ level: "debug", tier: "peer", message: `a request makes no URL: ${head.url}`, error });
      server.refuse(handle, { status: 400 }, exchange);
      return;
    }
    if (exchange !== undefined) {
      exchange.request = request;
      if (route.h3Datagram !== undefined) {
        exchange.datagrams = new H3DatagramContext(request, exchange.streamId, route.h3Datagram, server, handle);
      }
    }
    answer(server, route, request, handle, exchange);
  }

  #sessionRequest(handle: number, at: number, word: number): void {
    const u32 = this.#u32;
    const target = this.#targets[u32[word + USER_DATA]!];
    if (target?.server === undefined) return; // cannot be; the engine rejects what nobody decides
    const conn = u32[word + CONN]! + u32[word + CONN + 1]! * HIGH;
    askSession(target, handle, conn, this.#heads.read(at + RECORD_SIZE, u32[word + META_LEN]!));
  }

  #quicDatagram(object: number, at: number): void {
    const connection = this.connections.get(object);
    const server = connection === undefined ? undefined : this.servers.get(connection.server);
    server?.quicDatagram(this.#records.data(at), connection!);
  }

  #writable(object: number, flags: number): void {
    const exchange = this.exchanges.get(object);
    if (exchange !== undefined) exchange.sending?.writable();
    else this.sessions.writable(object, flags);
  }

  #body(object: number, piece: Uint8Array): void {
    const exchange = this.exchanges.get(object);
    if (exchange === undefined) return; // given up meanwhile
    if (exchange.pieces !== undefined) exchange.pieces.push(piece);
    else if (exchange.body !== undefined) {
      const { server } = exchange.target;
      if (exchange.body.push(piece) > (server?.bodyLimit ?? Infinity)) server!.tooLarge(exchange);
    }
  }

  #bodyEnd(object: number): void {
    const exchange = this.exchanges.get(object);
    if (exchange === undefined) return;
    if (exchange.pieces !== undefined) exchange.begin!(exchange.pieces);
    else exchange.body?.end();
  }

  #closed(object: number, code: number, flags: number): void {
    const exchange = this.exchanges.get(object);
    if (exchange === undefined) return;
    if (code === 0) {
      this.exchanges.delete(object);
      exchange.gone = true;
      // What was read of the body stands; whoever still waits for more of it waits in vain.
      exchange.body?.fail(new DOMException("The request has ended", "AbortError"));
      return;
    }
    const remote = (flags & FLAG.REMOTE) !== 0;
    const reason =
      code === ERROR.TOO_LARGE
        ? new H3Error(code, "the request's body is larger than maxRequestBodySize")
        : new DOMException(
            code === ERROR.TIMEOUT
              ? "The request was aborted: it ran out of time"
              : `The request was aborted by ${remote ? "the client" : "the server"} (${errorName(code)})`,
            "AbortError",
          );
    this.#end(exchange, reason);
  }

  #end(exchange: Exchange, reason: unknown): void {
    this.exchanges.delete(exchange.handle);
    exchange.fail(reason);
    if (exchange.request !== undefined) H3Request.abort(exchange.request, reason);
  }

  #log(object: number, level: (typeof LOG_LEVELS)[number], message: string): void {
    const server = this.servers.get(object);
    if (server !== undefined) server.report({ level, tier: "engine", message });
    else for (const server of this.servers.values()) server.report({ level, tier: "engine", message });
  }
}
