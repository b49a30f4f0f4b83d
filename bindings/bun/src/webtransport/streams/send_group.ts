/** Streams and datagrams that are ranked against each other. */

import { mustBeInside, webInterface } from "../../common/web_interface.ts";

/** Bytes of a group's streams. Members that the engine cannot know are left out. */
export interface WebTransportSendStreamStats {
  /** Bytes that were taken for sending. */
  bytesWritten: number;
}

/**
 * A group within which a higher `sendOrder` goes first; groups share what there is.
 * @see https://www.w3.org/TR/webtransport/#sendGroup
 */
export class WebTransportSendGroup {
  #session: object;
  #id: number;
  #bytesWritten = 0;

  /** @internal */
  constructor(inside: symbol, session: object, id: number) {
    mustBeInside(inside);
    this.#session = session;
    this.#id = id;
  }

  static {
    webInterface(this, "WebTransportSendGroup", { members: ["getStats"] });
  }

  /** Sums over the streams that are in the group now. */
  async getStats(): Promise<WebTransportSendStreamStats> {
    return { bytesWritten: this.#bytesWritten };
  }

  /** The number by which the library knows it. @internal */
  get id(): number {
    return this.#id;
  }

  /** Whether it is a group of this session. @internal */
  belongsTo(session: object): boolean {
    return this.#session === session;
  }

  /** One of its streams has written, or one has come or gone that had. @internal */
  wrote(bytes: number): void {
    this.#bytesWritten += bytes;
  }
}

/**
 * A value for `sendGroup`.
 * @throws TypeError when it is neither a group nor null
 */
export function checkGroup(value: unknown): WebTransportSendGroup | null {
  if (value === null || value === undefined) return null;
  if (!(value instanceof WebTransportSendGroup)) throw new TypeError("sendGroup must be a WebTransportSendGroup or null");
  return value;
}

/** Web IDL's long long: a whole number modulo 2^64, as far as a double holds it. */
export function checkOrder(value: unknown): number {
  const number = Math.trunc(Number(value));
  if (Number.isSafeInteger(number)) return number + 0; // -0 is 0
  if (!Number.isFinite(number)) return 0;
  return Number(BigInt.asIntN(64, BigInt(number)));
}
