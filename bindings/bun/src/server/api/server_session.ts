/** A session on the server, which decides whether there is to be one. */
import { brief, inWords } from "../../common/failure.ts";
import { asResponse } from "../../common/foreign_response.ts";
import { bytesOfBody } from "../../common/native_body.ts";
import { ERROR } from "../../native/layout.ts";
import { lastError, library } from "../../native/library.ts";
import { HEADERS_SIZE, scratch } from "../../native/memory.ts";
import { listHeaders, writeHeaders, type Listed } from "../../native/packed.ts";
import { untilTaken } from "../../native/refused.ts";
import { WebTransportSession, type OlderDatagramDuplexStream } from "../../webtransport/session.ts";
import type { SessionCore } from "../../webtransport/session_core.ts";
import { offeredProtocols } from "./offered_protocols.ts";
import { H3Request } from "./request.ts";

/** What accept() takes. */
export interface AcceptOptions {
  /** One of the protocols that the client offers. Default: none. */
  protocol?: string;
  /** More headers for the response. */
  headers?: HeadersInit;
  /** `"bytes"`: `datagrams.readable` is a byte stream, which reads into buffers of the reader. */
  datagramsReadableType?: "bytes";
}

/** What Headers takes. */
type HeadersInit = NonNullable<ConstructorParameters<typeof Headers>[0]>;

const NOTHING = new Uint8Array(0);

/**
 * A session that a client asks for: to be accepted or rejected within `webtransport.decisionTimeoutMs`. From then on it is what the
 * standard has.
 * @see https://www.w3.org/TR/webtransport/#web-transport
 */
export class WebTransportServerSession<Path extends string = string> extends WebTransportSession {
  /** The request that asks for it: URL, params, headers, cookies. */
  readonly request: H3Request<Path>;

  #core: SessionCore;
  #request: H3Request;
  #protocols: readonly string[] | undefined;
  #decided = false;
  /** What accept() or reject() has failed with last. */
  #failure: { error: unknown } | undefined;

  /** @internal */
  constructor(core: SessionCore, request: H3Request) {
    super(core);
    this.#core = core;
    this.#request = request;
    this.request = request as H3Request<Path>;
  }

  /** Its datagrams, which have the names of older drafts, too. */
  override get datagrams(): OlderDatagramDuplexStream {
    return super.datagrams as OlderDatagramDuplexStream;
  }

  /** The protocols that the client offers, best first. */
  get protocols(): readonly string[] {
    return (this.#protocols ??= offeredProtocols(this.request.headers.get("wt-available-protocols")));
  }

  /** Whether it was accepted or rejected. */
  get decided(): boolean {
    return this.#decided;
  }

  /**
   * Accepts it.
   * @returns as `ready`: resolves when the session is open. Rejects with TypeError for a protocol that the client does not offer, or a header
   * that HTTP/3 forbids, and with InvalidStateError when it was decided before; then nothing has happened. Never causes an unhandled rejection
   */
  accept(options: AcceptOptions = {}): Promise<void> {
    return this.#decides(() => this.#accept(options));
  }

  /**
   * Refuses it: `ready` and `closed` reject.
   * @param answer a status from 300 to 599, or a Response with one
   * @returns resolves when the answer is on its way, which is later only for a Response whose body must be read. Rejects with RangeError for
   * another status, TypeError for anything else, and InvalidStateError when it was decided before; then nothing has happened. Never causes an
   * unhandled rejection
   */
  reject(answer: number | Response): Promise<void> {
    return this.#decides(() => this.#reject(answer));
  }

  /** What fails before anything has happened rejects. Who does not wait for it is told when nobody has decided in time. */
  #decides(decide: () => Promise<void>): Promise<void> {
    let decided: Promise<void>;
    try {
      decided = decide();
    } catch (error) {
      this.#failure = { error };
      decided = Promise.reject(error);
    }
    decided.catch(() => {});
    return decided;
  }

  #accept(options: AcceptOptions): Promise<void> {
    this.#mustDecide();
    if (typeof options !== "object" || options === null) throw new TypeError(`accept() takes an object of options, not ${brief(options)}`);
    const { protocol, headers, datagramsReadableType } = options;
    if (protocol !== undefined && !this.protocols.includes(protocol)) {
      const offers = this.protocols.length === 0 ? "none" : this.protocols.map((one) => JSON.stringify(one)).join(", ");
      throw new TypeError(`the client does not offer the protocol ${JSON.stringify(protocol)}, but ${offers}`);
    }
    if (datagramsReadableType !== undefined && datagramsReadableType !== "bytes") {
      throw new TypeError(`datagramsReadableType must be "bytes", not ${JSON.stringify(datagramsReadableType)}`);
    }
    const fields = this.#withCookies(headers);
    const listed = fields === undefined ? {} : listHeaders(fields);
    const name = protocol === undefined ? 0 : Buffer.from(protocol + "\0", "latin1");
    this.#mustDecide(); // a getter of the options may have decided
    this.#decided = true;
    let refused: Error | undefined;
    let late = false;
    untilTaken(
      this.#core.handle,
      () => library().zig_h3_wt_accept(this.#core.handle, name, ...pack(listed)),
      (code) => {
        if (code === 0 || code === ERROR.STALE_HANDLE) return;
        refused = acceptError(code);
        // Nobody is there to take it, only the client, who still waits.
        if (late) this.#refuse(500, {}, NOTHING, refused);
      },
    );
    if (refused !== undefined) {
      this.#decided = false;
      throw refused;
    }
    late = true;
    this.#core.datagramsReadableType = datagramsReadableType;
    this.#core.answered = fields;
    return this.ready;
  }

  #reject(answer: number | Response): Promise<void> {
    this.#mustDecide();
    const response = typeof answer === "number" ? undefined : asResponse(answer);
    if (typeof answer !== "number" && response === undefined) throw new TypeError(`reject() takes a status or a Response, not ${brief(answer)}`);
    const status = response === undefined ? (answer as number) : response.status;
    if (!Number.isInteger(status) || status < 300 || status > 599) {
      throw new RangeError(`a session is rejected with a status from 300 to 599, not ${status}`);
    }
    const fields = this.#withCookies(response?.headers);
    const listed = fields === undefined ? {} : listHeaders(fields);
    const hasBody = response !== undefined && response.body !== null;
    this.#mustDecide(); // a getter of the Response may have decided
    this.#decided = true;
    if (hasBody) return this.#refuseWith(response, status, listed);
    this.#refuse(status, listed, NOTHING);
    return Promise.resolve();
  }

  async #refuseWith(answer: Response, status: number, listed: Listed): Promise<void> {
    let body: Uint8Array;
    try {
      body = await bytesOfBody(answer);
    } catch (error) {
      return this.#refuse(500, {}, NOTHING, error);
    }
    this.#refuse(status, listed, body);
  }

  /** Headers of an answer, with the cookies that the handler has set or deleted; undefined where there is neither. */
  #withCookies(headers: HeadersInit | undefined): Headers | undefined {
    const cookies = H3Request.setCookies(this.#request);
    if (headers === undefined && cookies === undefined) return undefined;
    const fields = new Headers(headers);
    for (const cookie of cookies ?? []) fields.append("set-cookie", cookie);
    return fields;
  }

  /** Closes it, or refuses it with 500 when it was not decided yet. */
  override close(info?: Parameters<WebTransportSession["close"]>[0]): void {
    super.close(info);
    this.#decided = true;
  }

  /** Whether it was accepted or rejected. Runs no code of a handler's. @internal */
  static decided(session: WebTransportServerSession): boolean {
    return session.#decided;
  }

  /** What accept() or reject() has failed with last. @internal */
  static failure(session: WebTransportServerSession): { error: unknown } | undefined {
    return session.#failure;
  }

  /** Rejects it with a status, unless it was decided. Runs no code of a handler's. @internal */
  static refuse(session: WebTransportServerSession, status: number): void {
    if (session.#decided) return;
    session.#decided = true;
    session.#refuse(status, {}, NOTHING);
  }

  #mustDecide(): void {
    if (this.#decided) throw new DOMException("The session was decided before", "InvalidStateError");
  }

  #refuse(status: number, listed: Listed, body: Uint8Array, ...cause: [unknown?]): void {
    if (cause.length > 0) this.#blame(cause[0]);
    untilTaken(
      this.#core.handle,
      () => library().zig_h3_wt_reject(this.#core.handle, status, ...pack(listed), body.length === 0 ? 0 : body, body.length),
      (code) => {
        if (code >= 0 || code === ERROR.STALE_HANDLE) return;
        // A response that the library does not take: the client is to get one nevertheless.
        this.#blame(lastError(code));
        untilTaken(this.#core.handle, () => library().zig_h3_wt_reject(this.#core.handle, 500, 0, 0, 0, 0));
      },
    );
    this.#core.refused(`The session was rejected with status ${status}`);
  }

  #blame(error: unknown): void {
    const message = `the answer to a session cannot be sent: ${inWords(error)}`;
    this.#core.host.report({ level: "error", tier: "protocol", message, error, ...H3Request.about(this.#request) });
  }
}

/** Why the library does not accept a session. */
function acceptError(code: number): Error {
  if (code === ERROR.WRONG_STATE) return new DOMException("The session was decided before", "InvalidStateError");
  const error = lastError(code);
  return code === ERROR.BAD_HEADER || code === ERROR.INVALID_ARGUMENT ? new TypeError(error.message) : error;
}

/** Headers in this thread's memory: address and length. */
function pack(listed: Listed): [number, number] {
  const memory = scratch();
  const length = writeHeaders(memory.headers, listed);
  // What is too long for this area the library refuses anyway: it is told of more than there can be.
  return length < 0 ? [memory.headersAt, HEADERS_SIZE + 1] : [memory.headersAt, length];
}
