/** What failures are called in messages, and handlers whose failures go nowhere else. */
import type { LogRecord } from "./log.ts";
import { H3Request } from "./request.ts";

/** What was thrown, in words. Never throws itself, whatever that is. */
export function inWords(error: unknown): string {
  try {
    return error instanceof Error ? `${error.message}` : brief(error);
  } catch {
    return UNTOLD;
  }
}

/** A value, in not too many words. Never throws. */
export function brief(value: unknown): string {
  let text: string;
  try {
    text = typeof value === "string" ? JSON.stringify(value) : Bun.inspect(value, { depth: 0 });
  } catch {
    return UNTOLD;
  }
  return text.length > 80 ? text.slice(0, 80) + "…" : text;
}

/** Stands for a value that throws when it is looked at: a proxy, a getter, an inspect() of its own. */
const UNTOLD = "a value that cannot be shown";

/** What a message says of the request that it is about. Runs no code of a handler's. */
export function about(request: H3Request): Required<Pick<LogRecord, "route" | "method" | "url">> {
  return { route: H3Request.route(request), method: H3Request.method(request), url: H3Request.url(request) };
}

/** Ends something that has failed. What that throws is of the failure that was told already. */
export function attempt(end: () => void): void {
  try {
    end();
  } catch {
    // See above.
  }
}

/** Calls a handler that has nobody to answer to: what it throws, and what its promise rejects with, goes to the log. */
export function callLogged(
  server: { report(record: LogRecord): void },
  name: string,
  call: () => unknown,
  request?: H3Request,
): void {
  const blame = (error: unknown): void => {
    const message = `${name} failed: ${inWords(error)}`;
    server.report({ level: "error", tier: "protocol", message, error, ...(request === undefined ? {} : about(request)) });
  };
  try {
    const result = call();
    if (result instanceof Promise) result.catch(blame);
  } catch (error) {
    blame(error);
  }
}
