/** What failures are called in messages, and handlers whose failures go nowhere else. */
import type { LogRecord } from "./log.ts";
import { H3Request } from "./request.ts";

/** What was thrown, in words. */
export function inWords(error: unknown): string {
  return error instanceof Error ? error.message : brief(error);
}

/** A value, in not too many words. */
export function brief(value: unknown): string {
  const text = typeof value === "string" ? JSON.stringify(value) : Bun.inspect(value, { depth: 0 });
  return text.length > 80 ? text.slice(0, 80) + "…" : text;
}

/** What a message says of the request that it is about. */
export function about(request: H3Request): Required<Pick<LogRecord, "route" | "method" | "url">> {
  return { route: H3Request.route(request), method: request.method, url: request.url };
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
