/** A WebTransport session in the web's shape. */
import { WT_STREAM } from "../native/layout.ts";
import type { WebTransportBidirectionalStream } from "./streams/bidirectional_stream.ts";
import { bytesOf, type BufferSource } from "../common/buffer_source.ts";
import type { WebTransportCongestionControl } from "../common/congestion_control.ts";
import { recognized } from "../common/recognized.ts";
import { INSIDE } from "../common/web_interface.ts";
import { checkAnticipated } from "./anticipated.ts";
import { checkCloseInfo, type WebTransportCloseInfo } from "./close_info.ts";
import { connectionStats, type WebTransportConnectionStats } from "./connection_stats.ts";
import { datagramResult, type DatagramResult } from "../native/datagram_result.ts";
import type { WebTransportReceiveStream } from "./streams/receive_stream.ts";
import { checkLength, checkName } from "./keying_material.ts";
import { checkGroup, checkOrder, WebTransportSendGroup } from "./streams/send_group.ts";
import type { WebTransportSendStream } from "./streams/send_stream.ts";
import type { Anticipated, DatagramHandler, OpenOptions, SessionCore } from "./session_core.ts";
import type { WebTransportDatagramDuplexStream } from "./datagrams/duplex.ts";

export type { OlderDatagramDuplexStream } from "./datagrams/older_names.ts";

/** What createBidirectionalStream() and createUnidirectionalStream() take. */
export interface WebTransportSendStreamOptions {
  /** The group that it is ranked in. Default null: that of all that have none. */
  sendGroup?: WebTransportSendGroup | null;
  /** Its rank within the group: higher ones go first. Default 0. */
  sendOrder?: number;
  /** Wait for the peer's limit of streams instead of failing. Default false. */
  waitUntilAvailable?: boolean;
}

/**
 * A session: datagrams and streams both ways. What stands in the standard behaves as there; `onDatagram`, `sendDatagram()`, `drain()`
 * and `await using` are additions.
 *
 * `ready`, `closed` and `draining` never cause an unhandled rejection.
 * @see https://www.w3.org/TR/webtransport/#web-transport
 */
export class WebTransportSession implements AsyncDisposable {
  #core: SessionCore;
  #groups = 0;

  /** @internal */
  constructor(core: SessionCore) {
    this.#core = core;
  }

  static {
    recognized(this, "WebTransportSession");
  }

  /** Resolves when the session is open; rejects with a WebTransportError when it never will be. */
  get ready(): Promise<void> {
    return this.#core.ready.promise;
  }

  /** Resolves with code and reason when the session is closed; rejects with a WebTransportError when it is lost. */
  get closed(): Promise<Required<WebTransportCloseInfo>> {
    return this.#core.closed.promise;
  }

  /** Resolves when the session should end soon: the peer says so, or the server that it came to is stopping. */
  get draining(): Promise<void> {
    return this.#core.draining.promise;
  }

  /** What the two sides have agreed to speak; empty: nothing, or not yet. */
  get protocol(): string {
    return this.#core.protocol;
  }

  /** `"supports-unreliable"` once it has been open: there is no WebTransport without datagrams here. */
  get reliability(): "pending" | "supports-unreliable" {
    return this.#core.wasOpen ? "supports-unreliable" : "pending";
  }

  /**
   * What the connection's congestion control is tuned for. A client says so with its option, a server with `engine.congestion_control`:
   * `"low-latency"` is "bbr", `"throughput"` "reno", and `"default"` "auto".
   */
  get congestionControl(): WebTransportCongestionControl {
    return this.#core.host.congestionControl;
  }

  /** Always false: sessions are on HTTP/3 only. */
  static get supportsReliableOnly(): boolean {
    return false;
  }

  /**
   * How many streams of the peer's one way are expected to be open at a time. On a server always null: there it is the option
   * `webtransport.maxStreamsUni`.
   */
  get anticipatedConcurrentIncomingUnidirectionalStreams(): number | null {
    return this.#core.anticipated?.unidirectional ?? null;
  }

  /** @throws TypeError for a number below 0 or above 65535; on a server NotSupportedError DOMException, always: it would have no effect */
  set anticipatedConcurrentIncomingUnidirectionalStreams(value: number | null) {
    this.#mayAnticipate("webtransport.maxStreamsUni").unidirectional = checkAnticipated("Unidirectional", value);
  }

  /**
   * How many streams of the peer's both ways are expected to be open at a time. On a server always null: there it is the option
   * `webtransport.maxStreamsBidi`.
   */
  get anticipatedConcurrentIncomingBidirectionalStreams(): number | null {
    return this.#core.anticipated?.bidirectional ?? null;
  }

  /** @throws as anticipatedConcurrentIncomingUnidirectionalStreams */
  set anticipatedConcurrentIncomingBidirectionalStreams(value: number | null) {
    this.#mayAnticipate("webtransport.maxStreamsBidi").bidirectional = checkAnticipated("Bidirectional", value);
  }

  /** The headers of the answer that opened it, without the protocol; null before. */
  get responseHeaders(): Headers | null {
    return this.#core.responseHeaders;
  }

  /** Its datagrams. */
  get datagrams(): WebTransportDatagramDuplexStream {
    return this.#core.datagrams;
  }

  /** Streams both ways that the peer has opened. */
  get incomingBidirectionalStreams(): ReadableStream<WebTransportBidirectionalStream> {
    return this.#core.bidirectional.readable;
  }

  /** Streams one way that the peer has opened. */
  get incomingUnidirectionalStreams(): ReadableStream<WebTransportReceiveStream> {
    return this.#core.unidirectional.readable;
  }

  /**
   * Opens a stream both ways. Rejects with TypeError for a group of another session, InvalidStateError when the session has ended, and
   * QuotaExceededError when the peer's limit is reached, unless told to wait.
   */
  async createBidirectionalStream(options: WebTransportSendStreamOptions = {}): Promise<WebTransportBidirectionalStream> {
    return (await this.#core.openStream(WT_STREAM.BIDIRECTIONAL, this.#open(options))).both;
  }

  /** Opens a stream to the peer. Rejects as createBidirectionalStream(). */
  async createUnidirectionalStream(options: WebTransportSendStreamOptions = {}): Promise<WebTransportSendStream> {
    return (await this.#core.openStream(WT_STREAM.UNIDIRECTIONAL, this.#open(options))).writable;
  }

  /**
   * Makes a group to rank streams in.
   * @throws InvalidStateError when the session has ended
   */
  createSendGroup(): WebTransportSendGroup {
    this.#core.mustLive();
    return new WebTransportSendGroup(INSIDE, this.#core, ++this.#groups);
  }

  /**
   * Closes the session. Its streams end, and `closed` resolves at once; the peer gets the code and the reason, cut at 1024 bytes.
   * Before the session is open, it is refused instead, and `ready` and `closed` reject. Does nothing once it has ended.
   */
  close(info: WebTransportCloseInfo = {}): void {
    this.#core.close(checkCloseInfo(info));
  }

  /** Asks the peer to end the session soon: its `draining` resolves. */
  drain(): void {
    this.#core.askDrain();
  }

  /** What has gone over the session and its connection. Members that the engine cannot know are left out. */
  async getStats(): Promise<WebTransportConnectionStats> {
    const core = this.#core;
    if (core.state === "connecting") await core.ready.promise.catch(() => {});
    core.mustNotHaveFailed();
    const counters = core.snapshot() ?? (await core.lastCounters());
    core.mustNotHaveFailed();
    const { inbox, outbox, unsent } = core;
    const lost = { droppedIncoming: inbox.dropped, expiredIncoming: inbox.expired, expiredOutgoing: outbox.expired + unsent.expired };
    return connectionStats(counters, lost, core.pooled);
  }

  /**
   * Keying material that only this session's two ends can have: `outputLength` bytes (1 to 4096) from the TLS handshake, a label and a
   * context of at most 255 bytes each. Rejects with RangeError for other sizes, and InvalidStateError when the session has ended.
   * @see https://www.w3.org/TR/webtransport/#dom-webtransport-exportkeyingmaterial
   */
  async exportKeyingMaterial(label: BufferSource, context: BufferSource, outputLength: number): Promise<Uint8Array<ArrayBuffer>> {
    return this.#core.exportKeyingMaterial(checkName("label", label), checkName("context", context), checkLength(outputLength));
  }

  /**
   * Takes datagrams one by one, without a stream and its promises: set it, and `datagrams.readable` gets none any more. The payload is
   * yours. What it throws, and what a promise that it gives rejects with, goes to the log; the session lives on.
   */
  get onDatagram(): DatagramHandler | null {
    return this.#core.onDatagram;
  }

  set onDatagram(handler: DatagramHandler | null) {
    if (handler !== null && handler !== undefined && typeof handler !== "function") throw new TypeError("onDatagram must be a function or null");
    this.#core.onDatagram = handler ?? null;
  }

  /**
   * Sends a datagram, without a stream and its promises. Says at once what became of it; `datagrams.outgoingMaxAge` counts.
   * @throws TypeError when `data` is neither an ArrayBuffer nor a view of one
   */
  sendDatagram(data: BufferSource): DatagramResult {
    const core = this.#core;
    if (core.over) return "closed";
    const maxAge = core.outgoingMaxAge;
    return datagramResult(core.send(bytesOf(data), maxAge === null ? 0 : Math.min(Math.ceil(maxAge), 0xffff_ffff)));
  }

  /** close(), and waits until the library is done with the session: for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    await this.#core.ended.promise;
  }

  #mayAnticipate(option: string): Anticipated {
    const { anticipated } = this.#core;
    if (anticipated === undefined) throw new DOMException(`what the peer may open is an option of the server: ${option}`, "NotSupportedError");
    return anticipated;
  }

  #open(options: WebTransportSendStreamOptions | null): OpenOptions {
    const { sendGroup, sendOrder = 0, waitUntilAvailable = false } = options ?? {};
    const group = checkGroup(sendGroup);
    if (group !== null && !group.belongsTo(this.#core)) throw new TypeError("sendGroup belongs to another session");
    return { group, order: checkOrder(sendOrder), wait: Boolean(waitUntilAvailable) };
  }
}
