/** Brings the events of datagrams, sessions and their streams to whom they concern. */
import { attempt, inWords } from "../common/failure.ts";
import type { Reporter } from "../common/log.ts";
import { ERROR, EVENT, FLAG } from "../native/layout.ts";
import { library } from "../native/library.ts";
import { readFields } from "../native/packed.ts";
import { resume, untilTaken } from "../native/refused.ts";
import { AUX, CODE, OBJECT, PARENT, STATUS, TYPE, type RecordReader } from "./records.ts";

/** Takes the events of a session. */
export interface SessionSink {
  /** The library's name for it. */
  readonly handle: number;
  /** Whose session it is. */
  readonly host: Reporter;
  /** SESSION_DATAGRAM: one has come, at this time of the library's clock. */
  receive(payload: Uint8Array<ArrayBuffer>, at: number): void;
  /** STREAM_OPENED: the peer has opened a stream, or one of ours is there. */
  streamOpened(handle: number, kind: number, flags: number): void;
  /** STREAM_ENDED, also of a stream that it does not know. */
  streamEnded(handle: number, code: number): void;
  /** SESSION_OPENED, with the fields of the server's answer where this side has asked for it. */
  opened(maxDatagramSize: number, protocol: string, answer: [name: string, value: string][]): void;
  /** SESSION_DRAINING. */
  drains(): void;
  /** DATAGRAMS_DROPPED: some that were taken for sending, for this reason. */
  droppedUnsent(code: number, count: number): void;
  /** SESSION_CLOSED, with the status that it was refused with, 0 for none, and the last counters where there are any. */
  finished(code: number, flags: number, closeCode: number, reason: string, counters: Uint32Array, status: number): void;
  /** It cannot be gone on with, after a fault on this side. */
  givenUp(why: string): void;
}

/** What a stream must know of its session. */
export type StreamOwner = Pick<SessionSink, "host" | "streamEnded">;

/** Takes the events of a session's stream. */
export interface StreamSink {
  /** The session. */
  readonly core: StreamOwner;
  /** STREAM_DATA. */
  data(bytes: Uint8Array<ArrayBuffer>, end: boolean): void;
  /** STREAM_RESET. */
  reset(code: number): void;
  /** STREAM_STOPPED. */
  stopped(code: number): void;
  /** STREAM_ATOMIC. */
  atomic(code: number): void;
  /** WRITABLE. */
  writableAgain(): void;
  /** WRITABLE with the flag END. */
  flushed(): void;
  /** It cannot be gone on with, after a fault on this side. */
  givenUp(why: string): void;
}

const NOTHING = new Uint32Array(0);

/** Events whose object is a stream. */
const OF_STREAMS: ReadonlySet<number> = new Set([
  EVENT.WRITABLE,
  EVENT.STREAM_OPENED,
  EVENT.STREAM_DATA,
  EVENT.STREAM_RESET,
  EVENT.STREAM_STOPPED,
  EVENT.STREAM_ENDED,
  EVENT.STREAM_ATOMIC,
]);

/** Sessions and streams by their handles. */
export class SessionEvents {
  readonly sessions = new Map<number, SessionSink>();
  readonly streams = new Map<number, StreamSink>();

  constructor(readonly records: RecordReader) {}

  /** Makes a session known until its end. */
  add(session: SessionSink): void {
    this.sessions.set(session.handle, session);
  }

  /** Deals with the record at `at`. */
  dispatch(type: number, at: number): void {
    const { u32 } = this.records;
    const word = at >>> 2;
    const object = this.records.u64(word + OBJECT);
    switch (type) {
      case EVENT.SESSION_DATAGRAM:
        this.sessions.get(object)?.receive(this.records.data(at), this.records.u64(word + AUX));
        return;
      case EVENT.STREAM_DATA: {
        const end = ((u32[word + TYPE]! >>> 16) & FLAG.END) !== 0;
        this.streams.get(object)?.data(this.records.data(at), end);
        return;
      }
      case EVENT.STREAM_OPENED: {
        const parent = this.records.u64(word + PARENT);
        this.sessions.get(parent)?.streamOpened(object, u32[word + STATUS]!, u32[word + TYPE]! >>> 16);
        return;
      }
      case EVENT.STREAM_RESET:
        this.streams.get(object)?.reset(u32[word + AUX]!);
        return;
      case EVENT.STREAM_STOPPED:
        this.streams.get(object)?.stopped(u32[word + AUX]!);
        return;
      case EVENT.STREAM_ATOMIC:
        this.streams.get(object)?.atomic(u32[word + CODE]! | 0);
        return;
      case EVENT.STREAM_ENDED: // of one that was asked for too late, it comes behind the end of the session
        this.streams.get(object)?.core.streamEnded(object, u32[word + CODE]! | 0);
        resume(object);
        return;
      case EVENT.SESSION_OPENED: {
        const fields = readFields(this.records.meta(at));
        const protocol = fields[0]?.[0] === "protocol" ? fields.shift()![1] : "";
        this.sessions.get(object)?.opened(u32[word + STATUS]!, protocol, fields);
        return;
      }
      case EVENT.SESSION_DRAINING:
        this.sessions.get(object)?.drains();
        return;
      case EVENT.SESSION_CLOSED: {
        const flags = u32[word + TYPE]! >>> 16;
        const counters = (flags & FLAG.COUNTERS) !== 0 ? this.records.words(at) : NOTHING;
        this.#closed(object, u32[word + CODE]! | 0, flags, u32[word + AUX]!, this.records.text(at), counters, u32[word + STATUS]!);
        return;
      }
      case EVENT.DATAGRAMS_DROPPED:
        this.sessions.get(object)?.droppedUnsent(u32[word + CODE]! | 0, this.records.u64(word + AUX));
        return;
    }
  }

  /** A stream takes bytes again, or all of it is on its way. */
  writable(object: number, flags: number): void {
    const stream = this.streams.get(object);
    if ((flags & FLAG.END) !== 0) stream?.flushed();
    else stream?.writableAgain();
  }

  /** Whom a session or stream belongs to. */
  host(object: number): Reporter | undefined {
    return (this.sessions.get(object) ?? this.streams.get(object)?.core)?.host;
  }

  /** Dealing with an event of a session or stream has failed: it is given up, for the peer and for whoever waits for something of it. */
  giveUp(type: number, object: number, error: unknown): void {
    if (OF_STREAMS.has(type)) {
      const native = library();
      native.zig_h3_wt_stream_reset(object, 0); // stale or ended by now is fine, here and below
      native.zig_h3_wt_stream_stop(object, 0);
      attempt(() => this.streams.get(object)?.givenUp(`The stream was given up: ${inWords(error)}`));
      return;
    }
    untilTaken(object, () => library().zig_h3_wt_close(object, 0, 0, 0)); // before the decision it rejects with 500
    this.sessions.get(object)?.givenUp(`The session was given up: ${inWords(error)}`);
    if (type === EVENT.SESSION_CLOSED) this.sessions.delete(object);
  }

  /** Nothing more will come: ends everything. */
  broken(): void {
    for (const session of [...this.sessions.values()]) attempt(() => this.#closed(session.handle, ERROR.FATAL, 0, 0, "", NOTHING, 0));
    for (const stream of [...this.streams.keys()]) attempt(() => resume(stream));
    this.sessions.clear();
  }

  #closed(object: number, code: number, flags: number, closeCode: number, reason: string, counters: Uint32Array, status: number): void {
    const session = this.sessions.get(object);
    session?.finished(code, flags, closeCode, reason, counters, status);
    this.sessions.delete(object);
    resume(object);
  }
}
