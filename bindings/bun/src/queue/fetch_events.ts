/** Brings the events of fetches to whom they concern. */
import { attempt, inWords } from "../common/failure.ts";
import type { LogRecord, Reporter } from "../common/log.ts";
import { H3Error } from "../native/errors.ts";
import { ERROR, EVENT, FLAG } from "../native/layout.ts";
import { resume } from "../native/refused.ts";
import { AUX, CODE, CONN, DATA_LEN, META_LEN, STATUS, TYPE, type RecordReader } from "./records.ts";

/** The head of a response, as it came. */
export interface ResponseHead {
  readonly status: number;
  /** Its fields, a packed list. */
  readonly fields: string;
  readonly streamId: number;
  /** The connection that it came by. */
  readonly conn: number;
  /** What came with it of the body. */
  readonly data: Uint8Array<ArrayBuffer> | null;
  /** That is all of the body. */
  readonly complete: boolean;
  /** Its request went out as early data, which the server has taken. */
  readonly early: boolean;
}

/** How a fetch has ended. */
export interface FetchEnd {
  /** 0, or why it ended early. */
  readonly code: number;
  /** It was the server's doing. */
  readonly remote: boolean;
  /** The server's HTTP/3 error code, if it gave one, else 0. */
  readonly wire: number;
  /** Why, in words. */
  readonly why: string;
}

/** Takes the events of a fetch. */
export interface FetchSink {
  /** Whose fetch it is. */
  readonly owner: Reporter;
  /** What messages say of it. */
  about(): Partial<LogRecord>;
  /** INFORMATIONAL: a status and a packed list. */
  informational(status: number, fields: string): void;
  /** RESPONSE. */
  response(head: ResponseHead): void;
  /** BODY. */
  piece(bytes: Uint8Array<ArrayBuffer>): void;
  /** BODY_END, with trailers as a packed list. */
  bodyEnd(trailers: string): void;
  /** WRITABLE. */
  writable(): void;
  /** STREAM_STOPPED: the server wants no more of the request's body. */
  stopped(code: number): void;
  /** H3_DATAGRAM. */
  datagram(payload: Uint8Array<ArrayBuffer>): void;
  /** DATAGRAMS_DROPPED: some that were taken for sending, for this reason. */
  droppedUnsent(code: number, count: number): void;
  /** FETCH_DONE. */
  done(end: FetchEnd): void;
  /** It cannot be gone on with, after a fault on this side. */
  fail(reason: unknown): void;
}

/** Fetches by their handles. */
export class FetchEvents {
  readonly fetches = new Map<number, FetchSink>();
  /** Who waits for a connection alone, by the handle of the wish. */
  readonly connecting = new Map<number, (end: FetchEnd) => void>();

  constructor(readonly records: RecordReader) {}

  /** Deals with the record at `at`, of a fetch that is there. */
  dispatch(type: number, object: number, at: number): void {
    if (type === EVENT.CONNECT_DONE) return this.#connected(object, at);
    const fetch = this.fetches.get(object);
    if (fetch === undefined) return; // given up meanwhile
    const { records } = this;
    const { u32 } = records;
    const word = at >>> 2;
    const flags = u32[word + TYPE]! >>> 16;
    switch (type) {
      case EVENT.INFORMATIONAL:
        return fetch.informational(u32[word + STATUS]!, records.meta(at));
      case EVENT.RESPONSE:
        return fetch.response({
          status: u32[word + STATUS]!,
          fields: records.meta(at),
          streamId: records.u64(word + AUX),
          conn: records.u64(word + CONN),
          data: u32[word + DATA_LEN]! === 0 ? null : records.data(at),
          complete: (flags & FLAG.END) !== 0,
          early: (flags & FLAG.EARLY) !== 0,
        });
      case EVENT.BODY:
        return fetch.piece(records.data(at));
      case EVENT.BODY_END:
        return fetch.bodyEnd(u32[word + META_LEN]! === 0 ? "" : records.meta(at));
      case EVENT.WRITABLE:
        return fetch.writable();
      case EVENT.STREAM_STOPPED:
        return fetch.stopped(records.u64(word + AUX));
      case EVENT.H3_DATAGRAM:
        return fetch.datagram(records.data(at));
      case EVENT.DATAGRAMS_DROPPED:
        return fetch.droppedUnsent(u32[word + CODE]! | 0, records.u64(word + AUX));
      case EVENT.FETCH_DONE:
        fetch.done(this.#end(at));
        this.fetches.delete(object);
        resume(object);
        return;
    }
  }

  #end(at: number): FetchEnd {
    const { records } = this;
    const word = at >>> 2;
    const flags = records.u32[word + TYPE]! >>> 16;
    return { code: records.u32[word + CODE]! | 0, remote: (flags & FLAG.REMOTE) !== 0, wire: records.u64(word + AUX), why: records.text(at) };
  }

  #connected(object: number, at: number): void {
    const done = this.connecting.get(object);
    this.connecting.delete(object);
    done?.(this.#end(at));
  }

  /** A fetch cannot be gone on with: whoever waits for it learns why. */
  giveUp(object: number, error: unknown): void {
    const fetch = this.fetches.get(object);
    this.fetches.delete(object);
    attempt(() => fetch?.fail(error));
    resume(object);
  }

  /** Nothing more will come: ends everything. */
  broken(error: unknown): void {
    for (const handle of [...this.fetches.keys()]) attempt(() => this.giveUp(handle, error ?? new H3Error(ERROR.FATAL)));
    for (const done of this.connecting.values()) attempt(() => done({ code: ERROR.FATAL, remote: false, wire: 0, why: inWords(error) }));
    this.connecting.clear();
  }
}
