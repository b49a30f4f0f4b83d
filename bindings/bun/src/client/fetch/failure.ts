/** What a fetch fails with. */
import { H3Error } from "../../native/errors.ts";
import { ERROR } from "../../native/layout.ts";
import type { FetchEnd } from "../../queue/fetch_events.ts";

/**
 * A network error, as fetch() has it: a TypeError, whose `cause` is the H3Error with the named code. Running out of time is a TimeoutError,
 * as that of AbortSignal.timeout().
 */
export function fetchFailed(cause: H3Error): TypeError | DOMException {
  if (cause.errno === ERROR.TIMEOUT) return timedOut(cause.message, cause);
  return Object.assign(new TypeError(cause.message, { cause }), { code: cause.code });
}

/** A TimeoutError. */
export function timedOut(message: string, cause = new H3Error(ERROR.TIMEOUT, message)): DOMException {
  return Object.defineProperty(new DOMException(message, "TimeoutError"), "cause", { value: cause, configurable: true, writable: true });
}

/** The failure that a FETCH_DONE tells of. */
export function endedEarly({ code, wire, why }: FetchEnd, url: string): TypeError | DOMException {
  const cause = new H3Error(code, why === "" ? undefined : `${why} (${url})`);
  if (wire !== 0) Object.defineProperty(cause, "wireCode", { value: wire, enumerable: true });
  return fetchFailed(cause);
}
