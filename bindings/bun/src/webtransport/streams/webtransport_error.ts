/** The error of sessions and their streams. */
import { recognized } from "../../common/recognized.ts";
import { webInterface } from "../../common/web_interface.ts";

/** What the second argument of `new WebTransportError()` may say. */
export interface WebTransportErrorOptions {
  /** Whose failure it is. Default `"stream"`. */
  source?: WebTransportErrorSource;
  /** The application's code that a stream was reset or stopped with, clamped to 32 bits. Default null: none. */
  streamErrorCode?: number | null;
}

/** Whose failure it is: of one stream, or of the whole session. */
export type WebTransportErrorSource = "stream" | "session";

/**
 * What fails the promises and streams of a session.
 *
 * A clone of it (`structuredClone()`, `postMessage()`) is a DOMException of the same name and message, without the rest: Bun knows how to
 * clone no class of ours.
 *
 * Given to `abort()` or `cancel()` of a stream, its `streamErrorCode` is the code that the peer gets.
 * @see https://www.w3.org/TR/webtransport/#web-transport-error-interface
 */
export class WebTransportError extends DOMException {
  #source: WebTransportErrorSource;
  #streamErrorCode: number | null;

  /**
   * @param message what happened, in words; or, as older browsers have it, an object of message and streamErrorCode
   * @throws TypeError for a source that is none
   */
  constructor(message: string | (WebTransportErrorOptions & { message?: string }) = "", options: WebTransportErrorOptions = {}) {
    const old = typeof message === "object" && message !== null;
    super(old ? String(message.message ?? "") : String(message), "WebTransportError");
    const { source = "stream", streamErrorCode = null } = (old ? message : options) ?? {};
    if (source !== "stream" && source !== "session") {
      throw new TypeError(`source must be "stream" or "session", not ${JSON.stringify(source)}`);
    }
    this.#source = source;
    this.#streamErrorCode = streamErrorCode === null ? null : clampCode(streamErrorCode);
  }

  static {
    recognized(this, "WebTransportError");
    webInterface(this, "WebTransportError", { members: ["source", "streamErrorCode"] });
  }

  /** Whose failure it is. */
  get source(): WebTransportErrorSource {
    return this.#source;
  }

  /** The application's code that a stream was reset or stopped with; null where there was none. */
  get streamErrorCode(): number | null {
    return this.#streamErrorCode;
  }
}

/** Web IDL's [Clamp] to unsigned long: the nearest whole number, the even one of two, within 32 bits. */
function clampCode(value: unknown): number {
  const number = Math.min(Math.max(Number(value), 0), 0xffff_ffff);
  if (Number.isNaN(number)) return 0;
  const floor = Math.floor(number);
  const rest = number - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}

/** The code that the peer gets when a stream is given up for `reason`. Never throws, whatever that is. */
export function codeOf(reason: unknown): number {
  try {
    return reason instanceof WebTransportError ? clampCode(reason.streamErrorCode ?? 0) : 0;
  } catch {
    return 0;
  }
}
