/**
 * A session by its handle: its state, and where its events go. The classes of the web's shape show it; it knows neither of server nor
 * of client, so that both can use it.
 */
import { ERROR, FLAG, SEND_FLAG, WT_OPEN, WT_STREAM } from "../native/layout.ts";
import { H3Error, errorName } from "../native/errors.ts";
import { attempt, callLogged } from "../common/failure.ts";
import { lastError, library } from "../native/library.ts";
import type { Reporter } from "../common/log.ts";
import { scratch } from "../native/memory.ts";
import type { Pump } from "../queue/pump.ts";
import type { WebTransportBidirectionalStream } from "./streams/bidirectional_stream.ts";
import type { WebTransportCongestionControl } from "../common/congestion_control.ts";
import { answerHeaders } from "./answer_headers.ts";
import { encodeReason, type WebTransportCloseInfo } from "./close_info.ts";
import { DatagramInbox } from "./datagrams/inbox.ts";
import { DatagramOutbox } from "./datagrams/outbox.ts";
import { IncomingStreams } from "./streams/incoming_streams.ts";
import { Outcome } from "../common/outcome.ts";
import type { WebTransportReceiveStream } from "./streams/receive_stream.ts";
import { untilTaken } from "../native/refused.ts";
import type { WebTransportSendGroup } from "./streams/send_group.ts";
import { INSIDE } from "../common/web_interface.ts";
import { WebTransportDatagramDuplexStream } from "./datagrams/duplex.ts";
import { OlderDatagramDuplexStream } from "./datagrams/older_names.ts";
import type { SessionSink } from "../queue/session_events.ts";
import { SessionStream } from "./streams/session_stream.ts";
import { sessionStats, sessionStatsOf } from "../native/stats.ts";
import { WebTransportError } from "./streams/webtransport_error.ts";

/** What a session belongs to: a server, or a client. */
export interface SessionHost extends Reporter {
  readonly pump: Pump;
  /** How many datagrams of a session may wait to be read, until the session says otherwise. */
  readonly incomingDatagrams: number;
  /** What the connections' congestion control is tuned for. */
  readonly congestionControl: WebTransportCongestionControl;
  /** Its sessions' datagrams have the names of older drafts, too. */
  readonly olderNames?: boolean;
}

/** How far a session has come, in the standard's words. */
export type SessionState = "connecting" | "connected" | "draining" | "closed" | "failed";

/** Takes a datagram. What it throws, or a promise that it gives rejects with, is logged. */
export type DatagramHandler = (payload: Uint8Array<ArrayBuffer>) => unknown;

/** What is asked of a stream of ours. */
export interface OpenOptions {
  group: WebTransportSendGroup | null;
  order: number;
  /** Wait for the peer's limit instead of failing. */
  wait: boolean;
}

/** Who else learns of a session's end. */
export interface SessionWatch {
  /** It has failed. */
  failed(error: unknown): void;
  /** The library is done with it. */
  ended(): void;
}

/** How a session has ended for what hangs on it: with a failure, or regularly, where `over` is what ends things that cannot be closed. */
interface Ending {
  failure: { error: unknown } | undefined;
  over: () => WebTransportError;
}

/** Streams that a session's own side expects its peer to have open at a time, of a kind; null: it does not say. */
export interface Anticipated {
  unidirectional: number | null;
  bidirectional: number | null;
}

/** One session. What hangs on it is made when it is first asked for. */
export class SessionCore implements SessionSink {
  state: SessionState = "connecting";
  /** What the two sides have agreed to speak; empty: nothing. */
  protocol = "";
  datagramsReadableType: "bytes" | undefined;
  /** What is in the answer that opens it: the application's part of ours, or what a server has said, once somebody has asked. */
  answered: Headers | undefined;
  /** undefined: that is up to an option of the host. */
  anticipated: Anticipated | undefined;
  /** It shares its connection with what is not its own. */
  pooled = false;
  /** The result code that the library ended it with. */
  endedWith = 0;

  readonly ready = new Outcome<void>();
  readonly closed = new Outcome<Required<WebTransportCloseInfo>>();
  readonly draining = new Outcome<void>();
  /** Resolves when the library is done with it. */
  readonly ended = new Outcome<void>();
  watch: SessionWatch | undefined;

  /** Datagrams that were taken for sending and dropped unsent, by cause. */
  readonly unsent = { expired: 0, other: 0 };

  #onDatagram: DatagramHandler | null = null;
  #inbox: DatagramInbox | undefined;
  #outbox: DatagramOutbox | undefined;
  #datagrams: WebTransportDatagramDuplexStream | undefined;
  #bidirectional: IncomingStreams<WebTransportBidirectionalStream> | undefined;
  #unidirectional: IncomingStreams<WebTransportReceiveStream> | undefined;
  #maxDatagramSize: number | undefined;
  #streams: Map<number, SessionStream> | undefined;
  /** Streams that have ended as they do with their session, whose own end is on its way: its error will be theirs. */
  #lost: SessionStream[] | undefined;
  #failure: WebTransportError | undefined;
  #ending: Ending | undefined;
  /** Its last counters, once the library is done with it. */
  #counters: Uint32Array | undefined;

  /** The fields that a server has answered with. */
  #answer: [name: string, value: string][] | undefined;

  #handle = 0;

  /** @param handle the library's name for it, by which events come to this object; undefined: attach() will bring one */
  constructor(
    readonly host: SessionHost,
    handle?: number,
  ) {
    if (handle !== undefined) this.attach(handle);
  }

  /** The library's name for it; 0 as long as there is none. */
  get handle(): number {
    return this.#handle;
  }

  /**
   * The library knows it from now on. Until then it is connecting like one that is not answered yet: what is sent and opened waits. That it
   * was closed meanwhile the library is told now.
   */
  attach(handle: number): void {
    this.#handle = handle;
    this.host.pump.dispatcher.sessions.add(this);
    if (this.over) this.#closeNative(0, "");
  }

  /** The library will never know it: it has refused to. */
  neverAttached(error: WebTransportError): void {
    this.ended.resolve();
    if (!this.over) this.#cleanup(error);
    this.watch?.ended();
  }

  /** What it failed with. */
  get failure(): WebTransportError | undefined {
    return this.#failure;
  }

  /** The headers of the answer that opened it; null before. */
  get responseHeaders(): Headers | null {
    if (this.#maxDatagramSize === undefined) return null;
    return (this.answered ??= this.#answer === undefined ? new Headers() : answerHeaders(this.#answer));
  }

  /** Whether it is open, or was. */
  get wasOpen(): boolean {
    return this.#maxDatagramSize !== undefined;
  }

  /** Whether it has ended, for this side at least. */
  get over(): boolean {
    return this.state === "closed" || this.state === "failed";
  }

  // ------------------------------------------------------------------------------------------------------------- datagrams

  /** Those that nobody has read. */
  get inbox(): DatagramInbox {
    if (this.#inbox === undefined) {
      this.#inbox = new DatagramInbox();
      this.#inbox.limit = this.host.incomingDatagrams;
    }
    return this.#inbox;
  }

  /** Those of writables. */
  get outbox(): DatagramOutbox {
    if (this.#outbox === undefined) {
      this.#outbox = new DatagramOutbox((bytes, maxAge) => this.send(bytes, maxAge));
      if (this.state === "connected" || this.state === "draining") this.#outbox.open();
    }
    return this.#outbox;
  }

  /** Milliseconds that a datagram may wait to be sent; null: as long as it likes. */
  get outgoingMaxAge(): number | null {
    return this.#outbox === undefined ? null : this.#outbox.maxAge;
  }

  /** The web's object for them. */
  get datagrams(): WebTransportDatagramDuplexStream {
    if (this.#datagrams === undefined) {
      this.#datagrams = new (this.host.olderNames ? OlderDatagramDuplexStream : WebTransportDatagramDuplexStream)(INSIDE, this);
      if (this.#maxDatagramSize !== undefined) this.#datagrams.opened(this.#maxDatagramSize);
      if (this.#ending !== undefined) this.#datagrams.end(this.#ending.failure, this.#ending.over);
    }
    return this.#datagrams;
  }

  /** Takes datagrams in place of the readable; null: nobody does. */
  get onDatagram(): DatagramHandler | null {
    return this.#onDatagram;
  }

  set onDatagram(handler: DatagramHandler | null) {
    this.#onDatagram = handler;
    // What came before the handler was set is its, too.
    while (this.#onDatagram !== null) {
      const payload = this.#inbox?.shift();
      if (payload === undefined) return;
      this.#call(this.#onDatagram, payload);
    }
  }

  /** A datagram has come. */
  receive(payload: Uint8Array<ArrayBuffer>, at: number): void {
    if (this.over) return;
    if (this.#onDatagram !== null) {
      this.#call(this.#onDatagram, payload);
      return;
    }
    this.inbox.push(payload, at);
    this.#datagrams?.arrived();
  }

  /** Hands a datagram to the library. Gives a result code; WRONG_STATE only before the session is open. */
  send(bytes: Uint8Array, maxAge: number): number {
    const { length } = bytes;
    const code = library().zig_h3_wt_send_datagram(this.handle, length === 0 ? 0 : bytes, length, maxAge, SEND_FLAG.LATER);
    if (code === 0) this.host.pump.flushSoon();
    // The library knows before this side that the session was closed.
    return code === ERROR.WRONG_STATE && this.state !== "connecting" ? ERROR.STALE_HANDLE : code;
  }

  /** Datagrams that were taken for sending were dropped. */
  droppedUnsent(code: number, count: number): void {
    if (code === ERROR.TIMEOUT) this.unsent.expired += count;
    else this.unsent.other += count;
  }

  #call(handler: DatagramHandler, payload: Uint8Array<ArrayBuffer>): void {
    callLogged(this.host, "onDatagram", () => handler(payload));
  }

  // --------------------------------------------------------------------------------------------------------------- streams

  /** Streams both ways that the peer has opened. */
  get bidirectional(): IncomingStreams<WebTransportBidirectionalStream> {
    if (this.#bidirectional === undefined) {
      this.#bidirectional = new IncomingStreams((stream) => stream.both);
      if (this.#ending !== undefined) this.#bidirectional.end(this.#ending.failure);
    }
    return this.#bidirectional;
  }

  /** Streams one way that the peer has opened. */
  get unidirectional(): IncomingStreams<WebTransportReceiveStream> {
    if (this.#unidirectional === undefined) {
      this.#unidirectional = new IncomingStreams((stream) => stream.readable);
      if (this.#ending !== undefined) this.#unidirectional.end(this.#ending.failure);
    }
    return this.#unidirectional;
  }

  /** The peer has opened a stream, or one of ours is there. */
  streamOpened(handle: number, kind: number, flags: number): void {
    if ((flags & FLAG.REMOTE) === 0) {
      this.#streams?.get(handle)?.opened();
      return;
    }
    const stream = this.#add(handle, kind, true, null, 0);
    if (this.over) stream.discard();
    else if (kind === WT_STREAM.BIDIRECTIONAL) this.bidirectional.push(stream);
    else this.unidirectional.push(stream);
  }

  /** A stream has ended. */
  streamEnded(handle: number, code: number): void {
    const stream = this.#streams?.get(handle);
    this.#streams?.delete(handle);
    this.host.pump.dispatcher.sessions.streams.delete(handle);
    if (stream === undefined || stream.ended(code)) return;
    if (this.#ending !== undefined) stream.fail(this.#ending.over());
    else (this.#lost ??= []).push(stream);
  }

  /**
   * Opens a stream. Rejects with QuotaExceededError when the peer's limit is reached, and with InvalidStateError when the session
   * has ended.
   */
  async openStream(kind: number, options: OpenOptions): Promise<SessionStream> {
    await this.#live();
    const stream = await new Promise<SessionStream>((resolve, reject) => {
      untilTaken(
        this.handle,
        () => library().zig_h3_wt_open_stream(this.handle, kind, options.wait ? WT_OPEN.WAIT : 0, scratch().results),
        (code) => {
          if (code === 0) resolve(this.#added(scratch().u64(0), kind, options));
          else if (code === ERROR.LIMIT) reject(new DOMException("Too many objects are open", "QuotaExceededError"));
          else reject(new DOMException(`The session takes no stream (${errorName(code)})`, "InvalidStateError"));
        },
      );
    });
    await stream.opening;
    return stream;
  }

  /** Waits until the session is open. Rejects with InvalidStateError when it has ended. */
  async #live(): Promise<void> {
    if (this.state === "connecting") await this.ready.promise.catch(() => {});
    this.mustLive();
  }

  /** @throws InvalidStateError once the session has ended */
  mustLive(): void {
    if (this.over) throw new DOMException("The session has ended", "InvalidStateError");
  }

  /** @throws InvalidStateError once the session has failed */
  mustNotHaveFailed(): void {
    if (this.state === "failed") throw new DOMException("The session has failed", "InvalidStateError");
  }

  #added(handle: number, kind: number, { group, order }: OpenOptions): SessionStream {
    const stream = this.#add(handle, kind, false, group, order);
    if (this.over) stream.fail(this.#ending!.over());
    return stream;
  }

  #add(handle: number, kind: number, remote: boolean, group: WebTransportSendGroup | null, order: number): SessionStream {
    const stream = new SessionStream(this, handle, kind, remote, group, order);
    (this.#streams ??= new Map()).set(handle, stream);
    this.host.pump.dispatcher.sessions.streams.set(handle, stream);
    return stream;
  }

  // ------------------------------------------------------------------------------------------------------------------ life

  /** It is open; `answer` is what a server has said to that. */
  opened(maxDatagramSize: number, protocol: string, answer: [name: string, value: string][] = []): void {
    if (this.state !== "connecting") return;
    if (answer.length > 0) this.#answer = answer;
    this.state = "connected";
    this.protocol = protocol;
    this.#maxDatagramSize = maxDatagramSize;
    this.#datagrams?.opened(maxDatagramSize);
    this.ready.resolve();
    this.#outbox?.open();
  }

  /** It is to end soon: the peer says so, or our own side is stopping. */
  drains(): void {
    if (this.state === "connected") this.state = "draining";
    this.draining.resolve();
  }

  /** Asks the peer to end it soon. */
  askDrain(): void {
    if (this.state === "connected" || this.state === "draining") untilTaken(this.handle, () => library().zig_h3_wt_drain(this.handle));
  }

  /** Keying material of it. Rejects with InvalidStateError once it has ended. */
  async exportKeyingMaterial(label: Uint8Array, context: Uint8Array, length: number): Promise<Uint8Array<ArrayBuffer>> {
    await this.#live();
    const material = new Uint8Array(length);
    const pointer = (bytes: Uint8Array): Uint8Array | number => (bytes.length === 0 ? 0 : bytes);
    const { handle } = this;
    const code = library().zig_h3_wt_export_keying_material(handle, pointer(label), label.length, pointer(context), context.length, material, length);
    if (code === ERROR.STALE_HANDLE || code === ERROR.WRONG_STATE) throw new DOMException("The session has ended", "InvalidStateError");
    if (code !== 0) throw lastError(code);
    return material;
  }

  /** Closes it. What waits for it learns that at once, the peer when the library has told it. */
  close(info: Required<WebTransportCloseInfo>): void {
    if (this.over) return;
    const open = this.state !== "connecting";
    if (this.#handle !== 0) this.#closeNative(info.closeCode, info.reason);
    if (open) this.#cleanup(undefined, info);
    else this.#cleanup(new WebTransportError("The session was closed before it was open", { source: "session" }));
  }

  #closeNative(code: number, reason: string): void {
    const { handle } = this;
    const bytes = encodeReason(reason);
    untilTaken(handle, () => library().zig_h3_wt_close(handle, code, bytes.length === 0 ? 0 : bytes, bytes.length));
  }

  /** Its peer has been refused. */
  refused(why: string): void {
    if (!this.over) this.#cleanup(new WebTransportError(why, { source: "session" }));
  }

  /** It cannot be gone on with, after a fault on this side: ends all that can be ended. */
  givenUp(why: string): void {
    attempt(() => this.refused(why));
    // As far as that has not come.
    const error = this.#failure ?? new WebTransportError(why, { source: "session" });
    this.ready.reject(error);
    this.closed.reject(error);
  }

  /** The library is done with it: SESSION_CLOSED. */
  finished(code: number, flags: number, closeCode: number, reason: string, counters?: Uint32Array, status = 0): void {
    this.#counters = counters;
    if (this.#streams !== undefined) for (const handle of this.#streams.keys()) this.streamEnded(handle, ERROR.CLOSED);
    this.endedWith = code;
    this.ended.resolve();
    this.watch?.ended();
    if (this.over) return;
    if (code === 0 && this.state !== "connecting") {
      this.#cleanup(undefined, { closeCode, reason });
      return;
    }
    this.#cleanup(this.#failureOf(code, flags, reason, status));
  }

  /** What it fails with when the library ends it. Its `cause` has the library's name for that. */
  #failureOf(code: number, flags: number, reason: string, status: number): WebTransportError {
    const never = code === ERROR.REJECTED ? "The session was refused" : "The session could not be opened";
    const what = this.state === "connecting" ? never : "The session was lost";
    const who = (flags & FLAG.REMOTE) !== 0 && what !== "The session could not be opened" ? " by the peer" : "";
    const why = reason === "" ? ` (${errorName(code)})` : `: ${reason}`;
    const error = new WebTransportError(`${what}${who}${why}`, { source: "session" });
    const cause = new H3Error(code, reason === "" ? errorName(code) : reason);
    return Object.assign(error, { cause: status === 0 ? cause : Object.assign(cause, { status }) });
  }

  /** The library's counters of it; the last ones once it has ended. undefined: its end, which has them, is on its way here. */
  snapshot(): Record<string, number> | undefined {
    return this.#counters === undefined ? sessionStats(this.handle) : sessionStatsOf(this.#counters);
  }

  /** The last counters, when they have come. */
  async lastCounters(): Promise<Record<string, number>> {
    await this.ended.promise;
    return this.#counters === undefined ? {} : sessionStatsOf(this.#counters);
  }

  /** Ends all that hangs on it: with `error`, or regularly with `info`. */
  #cleanup(error: WebTransportError | undefined, info?: Required<WebTransportCloseInfo>): void {
    this.state = info === undefined ? "failed" : "closed";
    this.#failure = error;
    const failure = error === undefined ? undefined : { error };
    let made = error;
    const over = (): WebTransportError => (made ??= ended());
    this.#ending = { failure, over };
    this.#outbox?.end();
    const cut = [...(this.#lost ?? []), ...(this.#streams?.values() ?? [])];
    this.#lost = undefined;
    for (const stream of cut) stream.fail(over());
    this.#bidirectional?.end(failure);
    this.#unidirectional?.end(failure);
    this.#datagrams?.end(failure, over);
    this.#inbox?.clear();
    if (!this.ready.settled) this.ready.reject(over());
    if (info === undefined) {
      this.closed.reject(error);
      this.watch?.failed(error);
    } else {
      this.closed.resolve(info);
    }
  }
}

/** What streams end with when their session is closed in the regular way. */
function ended(): WebTransportError {
  return new WebTransportError("The session was closed", { source: "session" });
}
