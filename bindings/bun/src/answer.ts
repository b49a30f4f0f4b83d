/**
 * Calls a handler and sees to it that something is sent, whatever it does.
 *
 * What a handler throws goes to error(), and when that does not help, the client gets a plain 500. What cannot reach the client any
 * more is dropped: nothing here rejects unseen.
 */
import { ERROR, H3_INTERNAL_ERROR } from "./layout.ts";
import { errorName, H3Error } from "./errors.ts";
import { Exchange } from "./exchange.ts";
import { about, brief, inWords } from "./failure.ts";
import { library } from "./library.ts";
import type { H3Request } from "./request.ts";
import { respond } from "./response.ts";
import type { Route } from "./route_table.ts";
import type { H3Server } from "./server.ts";

/** One request on its way to an answer. */
export interface Call {
  server: H3Server;
  route: Route;
  request: H3Request;
  handle: number;
  /** Set as soon as the request outlives its event. */
  exchange: Exchange | undefined;
  /** How far it has come: what fails in one stage goes on with the next. */
  stage: typeof HANDLER | typeof ERROR_HOOK | typeof LAST;
}

/** The handler's turn. */
export const HANDLER = 0;
/** error()'s turn. */
const ERROR_HOOK = 1;
/** The plain 500's turn. */
const LAST = 2;

/** Answers a request by its route's handler. */
export function answer(server: H3Server, route: Route, request: H3Request, handle: number, exchange: Exchange | undefined): void {
  const handler = route.handler ?? server.fallback;
  if (handler === undefined) {
    server.refuse(handle, { status: 404, allow: "" }, exchange);
    return;
  }
  const call: Call = { server, route, request, handle, exchange, stage: HANDLER };
  server.answering = call;
  try {
    take(call, handler.call(server, request, server));
  } catch (error) {
    fail(call, error);
  } finally {
    server.answering = undefined;
  }
}

/** Makes the request known until its end, so that its events find it. */
export function park(call: Call): Exchange {
  if (call.exchange === undefined) {
    call.exchange = new Exchange(call.handle, { server: call.server, route: call.route });
    call.exchange.request = call.request;
    call.server.dispatcher.exchanges.set(call.handle, call.exchange);
  }
  return call.exchange;
}

/** Goes on with what a handler or error() gave, now or once it is there. */
function take(call: Call, result: unknown): void {
  if (result instanceof Response) {
    respond(call, result);
    return;
  }
  if (!isThenable(result)) {
    deliver(call, result);
    return;
  }
  if (result instanceof Promise && Bun.peek.status(result) === "fulfilled") {
    deliver(call, Bun.peek(result));
    return;
  }
  park(call);
  Promise.resolve(result).then(
    (value) => deliver(call, value),
    (error) => fail(call, error),
  );
}

function deliver(call: Call, value: unknown): void {
  let response: Response | undefined;
  try {
    response = asResponse(value);
  } catch (error) {
    fail(call, error);
    return;
  }
  if (response !== undefined) {
    respond(call, response);
  } else if (call.stage === ERROR_HOOK) {
    lastResort(call); // error() has nothing to say
  } else {
    fail(call, new TypeError(`a handler must give a Response, not ${brief(value)}`));
  }
}

/** What a handler gave, or a Response with it as body; undefined when it is neither. Throws what a strange value throws. */
function asResponse(value: unknown): Response | undefined {
  if (value instanceof Response) return value;
  if (typeof value !== "object" || value === null) return undefined;
  return value instanceof ReadableStream || Symbol.asyncIterator in value ? new Response(value as ReadableStream) : undefined;
}

/** What was tried last has failed: goes on with the next stage. */
export function fail(call: Call, error: unknown): void {
  const { server, request, exchange } = call;
  if (exchange?.gone) {
    report(call, "debug", "peer", "a handler failed after its request had ended", error);
    return;
  }
  if (call.stage === HANDLER) {
    report(call, "error", "handler", "a handler failed", error);
    const hook = server.errorHook;
    if (hook !== undefined) {
      call.stage = ERROR_HOOK;
      try {
        take(call, hook.call(server, error as Error, request));
      } catch (thrown) {
        fail(call, thrown);
      }
      return;
    }
  } else {
    report(call, "error", "handler", "error() failed", error);
  }
  lastResort(call);
}

/** The plain 500; a reset when not even that can be sent. */
function lastResort(call: Call): void {
  if (call.stage === LAST) {
    library().zig_h3_response_reset(call.handle, H3_INTERNAL_ERROR);
    return;
  }
  call.stage = LAST;
  respond(call, new Response("Internal Server Error", { status: 500, headers: { "content-type": "text/plain" } }));
}

/**
 * Goes on after a call of the library that did not take the response. Results that say that nobody is there any more end it; the
 * others are the response's own fault.
 */
export function refused(call: Call, code: number): void {
  if (code === ERROR.BAD_HEADER || code === ERROR.TOO_LARGE || code === ERROR.INVALID_ARGUMENT || code === ERROR.NO_MEMORY) {
    fail(call, new H3Error(code, library().zig_h3_last_error().toString()));
  } else {
    tooLate(call, errorName(code));
  }
}

/** Nobody waits for the response any more. */
export function tooLate(call: Call, why: string): void {
  report(call, "debug", "peer", `a response came too late (${why})`, undefined);
}

function report(call: Call, level: "debug" | "error", tier: "peer" | "handler", message: string, error: unknown): void {
  const failure = error === undefined ? { message } : { message: `${message}: ${inWords(error)}`, error };
  call.server.report({ level, tier, ...failure, ...about(call.request) });
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
}
