/** What becomes of a datagram that is sent. */
import { ERROR } from "./layout.ts";
import { lastError } from "./library.ts";

/**
 * `"queued"`: it is on its way. Otherwise it was not taken: larger than what fits into a packet (`"too-large"`), the bounded queue is
 * full (`"queue-full"`), the connection, request or session has ended (`"closed"`), the peer or this server's options do not offer
 * datagrams (`"not-negotiated"`), or the session is not open yet (`"not-open"`).
 */
export type DatagramResult = "queued" | "too-large" | "queue-full" | "closed" | "not-negotiated" | "not-open";

/**
 * Puts a result code into a word.
 * @throws H3Error for a code that has none: those are not about the datagram
 */
export function datagramResult(code: number): DatagramResult {
  if (code === 0) return "queued";
  switch (code) {
    case ERROR.QUEUE_FULL:
    case ERROR.WOULD_BLOCK:
      return "queue-full";
    case ERROR.DATAGRAM_TOO_LARGE:
      return "too-large";
    case ERROR.NOT_NEGOTIATED:
      return "not-negotiated";
    case ERROR.WRONG_STATE:
      return "not-open";
    case ERROR.STALE_HANDLE:
    case ERROR.CLOSED:
    case ERROR.ENDED:
    case ERROR.FATAL:
      return "closed";
  }
  throw lastError(code);
}
