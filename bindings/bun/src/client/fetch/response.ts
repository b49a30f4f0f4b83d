/** What h3Fetch() gives: a native Response, with what HTTP/3 tells beside it. */
import type { BufferSource } from "../../common/buffer_source.ts";
import type { DatagramResult } from "../../native/datagram_result.ts";
import { byteReadable } from "./byte_stream.ts";
import type { SocketAddress } from "../../queue/connection.ts";
import type { PriorityOption } from "./priority.ts";

/** An informational response (1xx) that came before the response itself. */
export interface InformationalResponse {
  readonly status: number;
  readonly headers: Headers;
}

/** The connection that a response came by. */
export interface ResponseConnection {
  /** The same for all responses of one connection. */
  readonly id: number;
  /** The server's address. */
  readonly remote: SocketAddress;
  /** This side's address, as far as it is known. */
  readonly local: SocketAddress;
  /** It was there before the request was made. */
  readonly reused: boolean;
  /** Sends a raw QUIC datagram (RFC 9221) by it. The client must have been made with `quicDatagram`, and the server must not have announced HTTP/3's. */
  sendQuicDatagram(data: BufferSource): DatagramResult;
}

/** When things happened, in ms on the clock of `performance.now()`. */
export interface ResponseTimings {
  /** The request was given to the library. */
  readonly start: number;
  /** The head of the response was there. */
  readonly head: number;
  /** All of it was there; undefined until then. */
  readonly end: number | undefined;
}

/** What HTTP/3 tells of a response. */
export interface ResponseDetails {
  /** What came behind the body. Resolves when the body has come, and rejects if that fails. */
  readonly trailers: Promise<Headers>;
  /** The informational responses that came before it. */
  readonly informational: readonly InformationalResponse[];
  /** The connection; undefined: it is not known any more. */
  readonly connection: ResponseConnection | undefined;
  /** The QUIC stream of the request. */
  readonly streamId: number;
  readonly timings: ResponseTimings;
  /** Whether the request went out as early data (0-RTT, the option `earlyData`), which the server has taken. */
  readonly early: boolean;
  /**
   * Gives the request another priority (RFC 9218): what is still sent of it, and of its response, where the server knows of priorities. Of one that
   * has ended nothing is left to change.
   * @throws TypeError or RangeError that says what is wrong
   */
  prioritize(priority: PriorityOption): void;
  /** Sends a datagram of the request (RFC 9297), which must have been made with `onDatagram`. */
  sendDatagram(data: BufferSource): DatagramResult;
}

/** What an H3Response shows of where it came from. */
export interface ResponseOrigin {
  /** The URL of the last request, without its fragment. */
  readonly url: string;
  readonly redirected: boolean;
  readonly details: ResponseDetails;
}

/** A Response that came over HTTP/3. */
export class H3Response extends Response {
  #origin: ResponseOrigin;

  /** @internal */
  constructor(body: Uint8Array | ReadableStream | null, init: ResponseInit, origin: ResponseOrigin) {
    super(body as ReadableStream | null, init);
    this.#origin = origin;
  }

  static {
    // What the class Response has as properties is told here by its subclass: the URL behind all redirects, without its fragment.
    const told = <Key extends "url" | "redirected">(key: Key): PropertyDescriptor => ({
      get(this: H3Response) {
        return this.#origin[key];
      },
      configurable: true,
      enumerable: true,
    });
    const { bytes } = Response.prototype;
    const body = Object.getOwnPropertyDescriptor(Response.prototype, "body")!.get!;
    async function asBytes(this: H3Response): Promise<Uint8Array> {
      const all: Uint8Array | ArrayBuffer = await bytes.call(this);
      return all instanceof ArrayBuffer ? new Uint8Array(all) : all; // the former Bun 1.3 gives of streams
    }
    Object.defineProperties(this.prototype, {
      url: told("url"),
      redirected: told("redirected"),
      body: {
        get(this: H3Response) {
          const stream = body.call(this) as ReadableStream<Uint8Array> | null;
          return stream === null ? null : byteReadable(stream);
        },
        configurable: true,
        enumerable: true,
      },
      bytes: { value: asBytes, configurable: true, enumerable: true, writable: true },
    });
  }

  /** What came behind the body: see `h3.trailers`. */
  get trailers(): Promise<Headers> {
    return this.#origin.details.trailers;
  }

  /** The informational responses (1xx) that came before it. */
  get informational(): readonly InformationalResponse[] {
    return this.#origin.details.informational;
  }

  /** What HTTP/3 tells of it. */
  get h3(): ResponseDetails {
    return this.#origin.details;
  }

  /** As Response has it. */
  override clone(): H3Response {
    const { status, statusText, headers, body } = super.clone() as Response;
    return new H3Response(body, { status, statusText, headers }, this.#origin);
  }
}
