/**
 * Calls a handler and sees to it that something is sent, whatever it does.
 *
 * What a handler throws goes to error(), and when that does not help, the client gets a plain 500. What cannot reach the client any
 * more is dropped: nothing here rejects unseen.
 */
import { brief } from "../../common/failure.ts";
import { isThenable } from "../../common/thenable.ts";
import { asResponse } from "../../common/foreign_response.ts";
import { H3_INTERNAL_ERROR } from "../../native/layout.ts";
import { library } from "../../native/library.ts";
import type { H3Request } from "../api/request.ts";
import type { Route } from "../routes/route.ts";
import { Call, ERROR_HOOK, HANDLER, LAST } from "./call.ts";
import type { Exchange } from "./exchange.ts";
import type { RequestHost } from "./host.ts";
import { refuse } from "./refusal.ts";
import { respond } from "./respond.ts";

/** Answers a request by its route's handler. */
export function answer(host: RequestHost, route: Route, request: H3Request, handle: number, exchange: Exchange | undefined): void {
  const handler = route.handler ?? host.fallback;
  if (handler === undefined) {
    refuse(host, handle, { status: 404, allow: "" }, exchange);
    return;
  }
  const call = new Answer(host, request, handle, exchange);
  host.answering = call;
  try {
    call.take(handler.call(host, request, host));
  } catch (error) {
    call.fail(error);
  } finally {
    host.answering = undefined;
  }
}

/** One answer on its way through the stages. */
class Answer extends Call {
  /** Goes on with what a handler or error() gave, now or once it is there. */
  take(result: unknown): void {
    if (result instanceof Response) {
      respond(this, result);
      return;
    }
    if (!isThenable(result)) {
      this.#deliver(result);
      return;
    }
    if (result instanceof Promise && Bun.peek.status(result) === "fulfilled") {
      this.#deliver(Bun.peek(result));
      return;
    }
    this.park();
    Promise.resolve(result).then(
      (value) => this.#deliver(value),
      (error) => this.fail(error),
    );
  }

  #deliver(value: unknown): void {
    let response: Response | undefined;
    try {
      response = asResponse(value) ?? around(value);
    } catch (error) {
      this.fail(error);
      return;
    }
    if (response !== undefined) {
      respond(this, response);
    } else if (this.stage === ERROR_HOOK) {
      this.#lastResort(); // error() has nothing to say
    } else {
      this.fail(new TypeError(`a handler must give a Response, not ${brief(value)}`));
    }
  }

  fail(error: unknown): void {
    if (this.exchange?.gone) {
      this.report("debug", "peer", "a handler failed after its request had ended", error);
      return;
    }
    if (this.begun) {
      this.report("error", "handler", "a response failed after it had begun", error);
      library().zig_h3_response_reset(this.handle, H3_INTERNAL_ERROR);
      return;
    }
    if (this.stage === HANDLER) {
      this.report("error", "handler", "a handler failed", error);
      const hook = this.host.errorHook;
      if (hook !== undefined) {
        this.stage = ERROR_HOOK;
        try {
          this.take(hook.call(this.host, error as Error, this.request));
        } catch (thrown) {
          this.fail(thrown);
        }
        return;
      }
    } else {
      this.report("error", "handler", "error() failed", error);
    }
    this.#lastResort();
  }

  /** The plain 500; a reset when not even that can be sent. */
  #lastResort(): void {
    if (this.stage === LAST) {
      library().zig_h3_response_reset(this.handle, H3_INTERNAL_ERROR);
      return;
    }
    this.stage = LAST;
    respond(this, new Response("Internal Server Error", { status: 500, headers: { "content-type": "text/plain" } }));
  }
}

/** A Response around what its body is to be made of; undefined when the value is nothing of that kind. Throws what a strange value throws. */
function around(value: unknown): Response | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  return value instanceof ReadableStream || Symbol.asyncIterator in value ? new Response(value as ReadableStream) : undefined;
}
