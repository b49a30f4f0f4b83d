/** Reads events and brings each to whom it concerns. Handles nothing itself: it knows what takes them by interfaces of its own. */
import { attempt, inWords } from "../common/failure.ts";
import { LOG_LEVELS, type LogRecord, type Reporter } from "../common/log.ts";
import { H3Error, errorName } from "../native/errors.ts";
import { ERROR, EVENT, FLAG, H3_INTERNAL_ERROR, HIGH } from "../native/layout.ts";
import { library } from "../native/library.ts";
import { resume } from "../native/refused.ts";
import { Connection } from "./connection.ts";
import { FetchEvents } from "./fetch_events.ts";
import { AUX, CODE, CONN, OBJECT, PARENT, RecordReader, STATUS, TYPE, USER_DATA, type QueueMemory } from "./records.ts";
import { SessionEvents } from "./session_events.ts";

/** Where requests of one native route go. Its index is the route's user data. */
export interface Target {
  /** Whose route it is; undefined while that does not run. */
  readonly owner: Reporter | undefined;
  /** Takes the REQUEST at `at`. */
  request(handle: number, at: number): void;
  /** Takes the SESSION_REQUEST at `at`. */
  sessionRequest(handle: number, at: number): void;
}

/** Takes the events of a request that its first one has not settled. */
export interface RequestSink {
  /** Whose request it is. */
  readonly owner: Reporter;
  /** What messages say of it. */
  about(): Partial<LogRecord>;
  /** BODY. */
  piece(bytes: Uint8Array): void;
  /** BODY_END. */
  bodyEnd(): void;
  /** WRITABLE. */
  writable(): void;
  /** H3_DATAGRAM. */
  datagram(payload: Uint8Array<ArrayBuffer>): void;
  /** STREAM_CLOSED, with all in order. */
  finished(): void;
  /** It has ended early. */
  fail(reason: unknown): void;
}

/** What a native server or client belongs to. */
export interface Owner extends Reporter {
  /** Takes the requests of a server's routes that are no more: they were found before. */
  readonly late?: Target;
  /** CONN_OPENED. */
  connectionOpened?(): void;
  /** CONN_CLOSED. */
  connectionClosed?(): void;
  /** QUIC_DATAGRAM. */
  quicDatagram(payload: Uint8Array<ArrayBuffer>, connection: Connection): void;
  /** Ends it on the engine's side: nothing that comes of it could be dealt with. */
  halt(): void;
  /** SERVER_STOPPED, or CLIENT_CLOSED. */
  stopped(): void;
}

/** Whether an event is about a request or a fetch that is there. WRITABLE is one of streams, too. */
function ofRequest(type: number): boolean {
  switch (type) {
    case EVENT.REQUEST:
    case EVENT.BODY:
    case EVENT.BODY_END:
    case EVENT.WRITABLE:
    case EVENT.STREAM_CLOSED:
    case EVENT.H3_DATAGRAM:
    case EVENT.INFORMATIONAL:
    case EVENT.RESPONSE:
    case EVENT.FETCH_DONE:
      return true;
  }
  return false;
}

/** So that an index stays below 2^53, as all numbers do that go through bun:ffi. */
const MOST_GENERATIONS = (1 << 20) - 1;

/** The name of an event type. */
function eventName(type: number): string {
  return Object.entries(EVENT).find(([, value]) => value === type)?.[0] ?? String(type);
}

/** The events of one queue. */
export class Dispatcher {
  /** Requests that are not answered yet, by handle. */
  readonly exchanges = new Map<number, RequestSink>();
  /** Open connections, by handle. */
  readonly connections = new Map<number, Connection>();
  /** What runs, by handle: it is kept alive by this. */
  readonly owners = new Map<number, Owner>();
  /** The queue's records. */
  readonly records: RecordReader;
  /** Sessions and their streams. */
  readonly sessions: SessionEvents;
  /** What clients have asked for. */
  readonly fetches: FetchEvents;
  /** The engine or the pump has failed for good. */
  dead = false;

  #targets: (Target | undefined)[] = [];
  /** How often each place among them was given out. What comes late for one that is no more carries an earlier number than the next one's. */
  #generations: number[] = [];
  #unused: number[] = [];
  #u32: Uint32Array;

  constructor(memory: QueueMemory) {
    this.records = new RecordReader(memory);
    this.#u32 = memory.u32;
    this.sessions = new SessionEvents(this.records);
    this.fetches = new FetchEvents(this.records);
  }

  /** Gives a target its index, which its routes have as user data. */
  addTarget(target: Target): number {
    const place = this.#unused.pop() ?? this.#targets.length;
    this.#targets[place] = target;
    const generation = (this.#generations[place] = ((this.#generations[place] ?? -1) + 1) & MOST_GENERATIONS);
    return place + generation * HIGH;
  }

  /** Takes a target's index back. Events of it may still come. */
  removeTarget(index: number): void {
    const place = index % HIGH;
    this.#targets[place] = undefined;
    this.#unused.push(place);
  }

  /** Where the request or session of the record at `word` goes: what takes its server's late ones, where its own target is no more. */
  #target(word: number): Target | undefined {
    const u32 = this.#u32;
    const place = u32[word + USER_DATA]!;
    const target = this.#targets[place];
    if (target !== undefined && this.#generations[place] === u32[word + USER_DATA + 1]) return target;
    return this.owners.get(this.connections.get(this.records.u64(word + CONN))?.owner ?? 0)?.late;
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
    if (type === EVENT.REQUEST) {
      const handle = this.records.u64(word + OBJECT);
      const target = this.#target(word);
      if (target !== undefined) target.request(handle, at);
      else library().zig_h3_response_reset(handle, H3_INTERNAL_ERROR); // cannot be: no request comes after its server's end
      return;
    }
    const object = this.records.u64(word + OBJECT);
    if (type > EVENT.SESSION_REQUEST) return this.#later(type, object, at);
    const flags = u32[word + TYPE]! >>> 16;
    switch (type) {
      case EVENT.BODY:
      case EVENT.BODY_END:
      case EVENT.H3_DATAGRAM:
        return this.#part(type, object, at);
      case EVENT.WRITABLE:
        return this.#writable(object, flags, at);
      case EVENT.STREAM_CLOSED:
        return this.#closed(object, u32[word + CODE]! | 0, flags);
      case EVENT.CONN_OPENED: {
        const parent = this.records.u64(word + PARENT);
        this.connections.set(object, new Connection(object, parent, this.records.meta(at)));
        this.owners.get(parent)?.connectionOpened?.();
        return;
      }
      case EVENT.CONN_CLOSED:
        return this.#disconnected(object);
      case EVENT.QUIC_DATAGRAM:
        return this.#quicDatagram(object, at);
      case EVENT.SESSION_REQUEST:
        return this.#target(word)?.sessionRequest(object, at); // the engine rejects what nobody decides
      case EVENT.SERVER_STOPPED:
        return this.#stopped(object, at);
      case EVENT.LOG: {
        const level = LOG_LEVELS[u32[word + STATUS]!] ?? "info";
        return this.#log(object, level, this.records.text(at));
      }
      case EVENT.LOST: {
        const lost = this.records.u64(word + AUX);
        return this.#log(0, "warn", `${lost} events were dropped, for the queue was full: ${eventName(u32[word + STATUS]!)}`);
      }
      case EVENT.FATAL:
        return this.broken(new H3Error(ERROR.FATAL, `the engine has failed: ${this.records.text(at)}`));
      // SERVER_STARTED tells nothing that start() did not; later versions of the library may have more types.
    }
  }

  /** Part of a request, or of a fetch's response. */
  #part(type: number, object: number, at: number): void {
    const exchange = this.exchanges.get(object);
    if (exchange === undefined) this.fetches.dispatch(type, object, at);
    else if (type === EVENT.BODY) exchange.piece(this.records.data(at));
    else if (type === EVENT.BODY_END) exchange.bodyEnd();
    else exchange.datagram(this.records.data(at));
  }

  /** Events of sessions and of clients. */
  #later(type: number, object: number, at: number): void {
    if (type === EVENT.CLIENT_CLOSED) return this.#stopped(object, at);
    if (type > EVENT.STREAM_ATOMIC || this.fetches.fetches.has(object)) this.fetches.dispatch(type, object, at);
    else this.sessions.dispatch(type, at);
  }

  #stopped(object: number, at: number): void {
    const code = this.#u32[(at >>> 2) + CODE]! | 0;
    if (code === ERROR.IO) this.#log(object, "error", `the socket has failed: ${this.records.text(at)}`);
    this.owners.get(object)?.stopped();
    resume(object);
  }

  /** Nothing more will come: ends everything, on the engine's side too, where it lives. */
  broken(error: unknown): void {
    if (this.dead) return;
    this.dead = true;
    const owners = [...this.owners.values()];
    for (const owner of owners) owner.halt(); // an engine that has died stops nothing, and nothing goes on
    for (const handle of [...this.exchanges.keys()]) attempt(() => this.#end(handle, error));
    this.fetches.broken(error);
    this.sessions.broken();
    for (const owner of owners) {
      attempt(() => owner.stopped());
      owner.report({ level: "error", tier: "engine", message: inWords(error), error });
    }
  }

  /**
   * Dealing with the record at `at` has thrown: tells so, and gives up what the record is about. Each for itself: what has thrown may be a
   * function of JavaScript's own that somebody has put something over.
   */
  #failed(at: number, error: unknown): void {
    const u32 = this.#u32;
    const word = at >>> 2;
    const type = u32[word + TYPE]! & 0xffff;
    const object = this.records.u64(word + OBJECT);
    attempt(() => this.#tell(type, object, word, error));
    // Stale by now is fine, and a stream's handle is none of a request.
    const fetched = this.fetches.fetches.has(object);
    if (fetched || ofRequest(type)) library().zig_h3_request_reset(object, H3_INTERNAL_ERROR);
    attempt(() => {
      if (fetched) this.fetches.giveUp(object, error);
      else if (type >= EVENT.SESSION_REQUEST || (type === EVENT.WRITABLE && !this.exchanges.has(object))) this.sessions.giveUp(type, object, error);
      else if (ofRequest(type)) this.#end(object, error);
    });
  }

  #tell(type: number, object: number, word: number, error: unknown): void {
    const message = `${eventName(type)} could not be dealt with: ${inWords(error)}`;
    const about = (this.exchanges.get(object) ?? this.fetches.fetches.get(object))?.about();
    for (const owner of this.#owners(type, object, word)) owner.report({ level: "error", tier: "engine", message, error, ...about });
  }

  /** Whom a record concerns: all that run, where it cannot be told. */
  #owners(type: number, object: number, word: number): Iterable<Reporter> {
    const asks = type === EVENT.REQUEST || type === EVENT.SESSION_REQUEST;
    const message = this.exchanges.get(object) ?? this.fetches.fetches.get(object);
    const asked = asks ? this.#target(word)?.owner : message?.owner;
    const conn = this.records.u64(word + CONN);
    const owner = asked ?? this.owners.get(this.connections.get(conn)?.owner ?? 0) ?? this.sessions.host(object);
    return owner === undefined ? [...this.owners.values()] : [owner];
  }

  #disconnected(object: number): void {
    const connection = this.connections.get(object);
    if (connection === undefined) return;
    this.connections.delete(object);
    this.owners.get(connection.owner)?.connectionClosed?.();
  }

  #quicDatagram(object: number, at: number): void {
    const connection = this.connections.get(object);
    const owner = connection === undefined ? undefined : this.owners.get(connection.owner);
    owner?.quicDatagram(this.records.data(at), connection!);
  }

  #writable(object: number, flags: number, at: number): void {
    if ((flags & FLAG.END) === 0) resume(object);
    const exchange = this.exchanges.get(object);
    if (exchange !== undefined) exchange.writable();
    else if (this.fetches.fetches.has(object)) this.fetches.dispatch(EVENT.WRITABLE, object, at);
    else this.sessions.writable(object, flags);
  }

  #closed(object: number, code: number, flags: number): void {
    const exchange = this.exchanges.get(object);
    if (exchange === undefined) return resume(object);
    if (code === 0) {
      this.exchanges.delete(object);
      exchange.finished();
      resume(object);
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
    this.#end(object, reason);
  }

  #end(object: number, reason: unknown): void {
    const exchange = this.exchanges.get(object);
    this.exchanges.delete(object);
    exchange?.fail(reason);
    resume(object);
  }

  #log(object: number, level: (typeof LOG_LEVELS)[number], message: string): void {
    const owner = this.owners.get(object);
    if (owner !== undefined) owner.report({ level, tier: "engine", message });
    else for (const owner of this.owners.values()) owner.report({ level, tier: "engine", message });
  }
}
