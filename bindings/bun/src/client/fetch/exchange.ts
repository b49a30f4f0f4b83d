/** One request and its response: what must be known of them from the asking to FETCH_DONE. */
import { now, clearTimeout, setTimeout } from "../../common/builtins.ts";
import { attempt, callLogged } from "../../common/failure.ts";
import type { LogRecord, Reporter } from "../../common/log.ts";
import { Outcome } from "../../common/outcome.ts";
import type { Carrier, Sending } from "../../http/outgoing.ts";
import { errorName, H3Error } from "../../native/errors.ts";
import { ERROR } from "../../native/layout.ts";
import { readFields } from "../../native/packed.ts";
import type { FetchEnd, FetchSink, ResponseHead } from "../../queue/fetch_events.ts";
import type { Connection } from "../../queue/connection.ts";
import { datagramContext, type QuicDatagramContext } from "../../queue/quic_datagram.ts";
import type { Client } from "../client.ts";
import { endedEarly, fetchFailed, timedOut } from "./failure.ts";
import { cancel, consumed } from "./native_fetch.ts";
import { ResponseBody, type BodyOwner } from "./response_body.ts";
import type { InformationalResponse } from "./response.ts";

/** The native ones, whatever a program puts over them. */
const { addEventListener: listen, removeEventListener: unlisten } = EventTarget.prototype;

/** What is wanted of one request beside its head and body. */
export interface Wishes {
  /** Gives it up. */
  readonly signal: AbortSignal | undefined;
  /** Ms without anything of it that came or went; 0: any time. */
  readonly timeout: number;
  /** Takes its datagrams. */
  readonly onDatagram: ((payload: Uint8Array<ArrayBuffer>) => unknown) | undefined;
}

/** A response's head, and its body if that did not come with it. */
export interface Answer {
  readonly head: ResponseHead;
  readonly body: ResponseBody | undefined;
}

/** Ms between the look that finds it out of time and the one that believes that. */
const AGAIN = 5;

/** One request under way. */
export class FetchExchange implements FetchSink, BodyOwner {
  /** The library's name for it; 0 as long as it was not asked for. */
  handle = 0;
  /** It is over: nothing of it is of use any more. */
  gone = false;
  readonly informationals: InformationalResponse[] = [];
  readonly timings: { start: number; head: number; end: number | undefined } = { start: 0, head: 0, end: undefined };
  /** The connection that the response came by. */
  connection: Connection | undefined;

  #client: Client;
  #url: string;
  #method: string;
  #wishes: Wishes;
  #answer = Promise.withResolvers<Answer>();
  /** The head has come, or it has failed. */
  #answered = false;
  #body: ResponseBody | undefined;
  /** What came behind the body; null: nothing; undefined: that is not known yet. */
  #trailers: Headers | null | undefined;
  /** What they will have been, once somebody has asked: few do. */
  #trailersTold: Outcome<Headers> | undefined;
  /** Why it has failed. */
  #failure: { reason: unknown } | undefined;
  /** The request's body, while it is being sent in parts. */
  #upload: Upload | undefined;
  #timer: Timer | undefined;
  /** It has run out of time at the last look. */
  #late = false;
  /** When something came or went last. */
  #moved = 0;
  /** The reader waits for more of the body. */
  #waits = false;
  /** The library has told of its end, or is asked no more. */
  #ended = false;
  /** Reasons to keep the process. */
  #holds = 0;

  constructor(client: Client, method: string, url: string, wishes: Wishes) {
    this.#client = client;
    this.#method = method;
    this.#url = url;
    this.#wishes = wishes;
    this.#hold(); // until the head is there
    if (wishes.signal !== undefined) listen.call(wishes.signal, "abort", this.#abort);
    if (wishes.timeout > 0) {
      this.#moved = now();
      this.#clock(wishes.timeout);
    }
  }

  /** The head of the response; rejects when there is none. */
  get answer(): Promise<Answer> {
    return this.#answer.promise;
  }

  /** What came behind the body of the response; rejects when it has failed before. */
  get trailers(): Promise<Headers> {
    if (this.#trailersTold === undefined) {
      this.#trailersTold = new Outcome();
      this.#tellTrailers();
    }
    return this.#trailersTold.promise;
  }

  /** Settles them, if somebody has asked and there is something to tell. */
  #tellTrailers(): void {
    if (this.#trailers !== undefined) this.#trailersTold?.resolve(this.#trailers ?? new Headers());
    else if (this.#failure !== undefined) this.#trailersTold?.reject(this.#failure.reason);
  }

  get owner(): Reporter {
    return this.#client;
  }

  /** What messages say of it. */
  about(): Partial<LogRecord> {
    return { method: this.#method, url: this.#url };
  }

  /** The library has taken it. */
  begun(handle: number): void {
    this.handle = handle;
    this.timings.start = now();
    this.#client.opened();
    this.#client.dispatcher.fetches.fetches.set(handle, this);
    if (this.#wishes.onDatagram !== undefined) this.#hold(); // until its end
  }

  // ------------------------------------------------------------------------------------------------------------- its own body

  /** Sends its body in parts. The process is kept for that. */
  send(make: (upload: Carrier) => Sending & { run(): unknown }): void {
    const upload = (this.#upload = new Upload(this, this.handle));
    this.#hold();
    const sending = make(upload);
    upload.sending = sending;
    sending.run();
  }

  /** Nothing more of it is sent. */
  sendsNoMore(): void {
    if (this.#upload === undefined) return;
    this.#upload = undefined;
    this.#release();
  }

  writable(): void {
    this.#moved = now();
    this.#upload?.sending?.writable();
  }

  /** The server wants no more of it; the response comes all the same. */
  stopped(): void {
    this.#upload?.end(new DOMException("The server wants no more of the request's body", "AbortError"));
  }

  // --------------------------------------------------------------------------------------------------------------- what comes

  informational(status: number, fields: string): void {
    this.#moved = now();
    this.informationals.push({ status, headers: new Headers(readFields(fields)) });
  }

  response(head: ResponseHead): void {
    if (this.gone || this.#answered) return;
    this.#answered = true;
    this.timings.head = this.#moved = now();
    this.connection = this.#client.dispatcher.connections.get(head.conn);
    if (head.complete) this.#whole(null);
    else this.#body = new ResponseBody(this, head.data);
    this.#answer.resolve({ head, body: this.#body });
    this.#release();
  }

  piece(bytes: Uint8Array<ArrayBuffer>): void {
    this.#moved = now();
    this.#body?.push(bytes);
  }

  bodyEnd(trailers: string): void {
    this.#whole(trailers === "" ? null : new Headers(readFields(trailers)));
    this.#body?.end();
  }

  /** All of the response has come. */
  #whole(trailers: Headers | null): void {
    this.timings.end = now();
    if (this.#failure === undefined) this.#trailers = trailers;
    this.#tellTrailers();
    if (this.#upload === undefined) this.#unwatch();
  }

  datagram(payload: Uint8Array<ArrayBuffer>): void {
    const { onDatagram } = this.#wishes;
    if (onDatagram !== undefined) callLogged(this.#client, "onDatagram", () => onDatagram(payload), () => this.about());
  }

  droppedUnsent(code: number, count: number): void {
    const message = `${count} datagrams that were to be sent were dropped (${errorName(code)})`;
    this.#client.report({ level: "debug", tier: "protocol", message, ...this.about() });
  }

  done(end: FetchEnd): void {
    this.#endedOnce();
    this.timings.end ??= now();
    if (this.gone) return;
    if (end.code !== 0) this.#failed(endedEarly(end, this.#url));
    this.#cleanup();
  }

  // ---------------------------------------------------------------------------------------------------------- who reads its body

  /** The reader has taken so many bytes. */
  taken(bytes: number): void {
    consumed(this.handle, bytes);
  }

  /** Somebody waits for more of the body, or waits no more. */
  waits(waiting: boolean): void {
    this.#waits = waiting;
    this.#moved = now();
    if (waiting) this.#hold();
    else this.#release();
  }

  /** What raw datagrams of its connection go by. */
  raw(connection: Connection): QuicDatagramContext {
    return datagramContext(connection, this.#client.pump);
  }

  /** What was sent with LATER is to be on its way soon. */
  flushSoon(): void {
    this.#client.pump.flushSoon();
  }

  /** Nobody wants more than its head. */
  letGo(): void {
    if (this.#body?.over === false || this.#upload !== undefined) this.unwanted();
  }

  /** Nobody wants the rest of the body. */
  unwanted(): void {
    this.giveUp(new DOMException("The response's body was given up", "AbortError"));
  }

  // --------------------------------------------------------------------------------------------------------------------- ends

  /** It cannot be gone on with, after a fault on this side. */
  fail(reason: unknown): void {
    this.giveUp(reason);
    this.#endedOnce();
  }

  /** Gives it up, for the server and for whoever waits for something of it. */
  giveUp(reason: unknown): void {
    if (this.gone) return;
    if (this.handle !== 0) cancel(this.handle);
    this.#failed(reason);
    this.#cleanup();
  }

  #abort = (): void => this.giveUp(this.#wishes.signal!.reason);

  /** Looks again in so many ms whether it still moves. It is not for this that the process is kept. */
  #clock(ms: number): void {
    this.#timer = setTimeout(this.#look, ms);
    this.#timer.unref();
  }

  #look = (): void => {
    const { timeout } = this.#wishes;
    const waits = !this.#answered || this.#upload !== undefined || this.#waits;
    if (!waits) this.#moved = now(); // on this side alone
    const left = this.#moved + timeout - now();
    if (left > 0) {
      this.#late = false;
      this.#clock(left);
    } else if (!this.#late) {
      // This thread may have been busy, and what came may be waiting to be seen.
      this.#late = true;
      this.#clock(AGAIN);
    } else {
      this.giveUp(timedOut(`nothing came of ${this.#url} for ${timeout} ms`));
    }
  };

  /** It can no longer be given up. */
  #unwatch(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const { signal } = this.#wishes;
    if (signal !== undefined) unlisten.call(signal, "abort", this.#abort);
  }

  #endedOnce(): void {
    if (this.#ended || this.handle === 0) return;
    this.#ended = true;
    this.#client.ended();
  }

  #failed(reason: unknown): void {
    this.gone = true;
    attempt(() => this.#upload?.end(reason));
    this.#failure = { reason };
    this.#tellTrailers();
    if (!this.#answered) {
      this.#answered = true;
      this.#answer.reject(reason);
      this.#release();
    }
    this.#body?.fail(reason);
  }

  /** Nothing more comes of it. */
  #cleanup(): void {
    this.gone = true;
    this.#unwatch();
    while (this.#holds > 0) this.#release();
  }

  #hold(): void {
    this.#holds++;
    this.#client.hold();
  }

  #release(): void {
    if (this.#holds === 0) return;
    this.#holds--;
    this.#client.letGo();
  }
}

/** The body of a request, while it is being sent in parts. */
class Upload implements Carrier {
  readonly what = "request";
  sending: Sending | undefined;
  /** Nothing more of it is taken. */
  gone = false;
  #exchange: FetchExchange;

  constructor(
    exchange: FetchExchange,
    readonly handle: number,
  ) {
    this.#exchange = exchange;
  }

  /** All of it has been taken. */
  sent(): void {
    this.gone = true;
    this.#exchange.sendsNoMore();
  }

  /** It cannot be had. */
  bodyFailed(record: LogRecord): void {
    this.#exchange.giveUp("error" in record ? record.error : fetchFailed(new H3Error(ERROR.CANCELLED, record.message)));
  }

  /** No more of it is to be sent. */
  end(reason: unknown): void {
    this.gone = true;
    this.#exchange.sendsNoMore();
    this.sending?.closed(reason);
  }
}
