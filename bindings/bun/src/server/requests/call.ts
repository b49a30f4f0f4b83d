/** A request on its way to an answer: what those who send it need to know, and whom they tell that it cannot be sent. */
import { inWords } from "../../common/failure.ts";
import { errorName, H3Error } from "../../native/errors.ts";
import { ERROR } from "../../native/layout.ts";
import { library } from "../../native/library.ts";
import { H3Request } from "../api/request.ts";
import { Exchange } from "./exchange.ts";
import type { RequestHost } from "./host.ts";

/** The handler's turn. */
export const HANDLER = 0;
/** error()'s turn. */
export const ERROR_HOOK = 1;
/** The plain 500's turn. */
export const LAST = 2;

/** One request on its way to an answer. */
export abstract class Call {
  /** How far it has come: what fails in one stage goes on with the next. */
  stage: typeof HANDLER | typeof ERROR_HOOK | typeof LAST = HANDLER;
  /** The library has the head of the response: no other can be sent any more. */
  begun = false;

  /** @param exchange set as soon as the request outlives its event */
  constructor(
    readonly host: RequestHost,
    readonly request: H3Request,
    readonly handle: number,
    public exchange: Exchange | undefined,
  ) {}

  /** What was tried last has failed: goes on with the next stage. */
  abstract fail(error: unknown): void;

  /** Makes the request known until its end, so that its events find it. */
  park(): Exchange {
    if (this.exchange === undefined) {
      this.exchange = new Exchange(this.handle, this.host);
      this.exchange.request = this.request;
      this.host.dispatcher.exchanges.set(this.handle, this.exchange);
    }
    return this.exchange;
  }

  /**
   * Goes on after a call of the library that did not take the response. Results that say that nobody is there any more end it; the
   * others are the response's own fault.
   */
  refused(code: number): void {
    if (code === ERROR.BAD_HEADER || code === ERROR.TOO_LARGE || code === ERROR.INVALID_ARGUMENT || code === ERROR.NO_MEMORY) {
      this.fail(new H3Error(code, library().zig_h3_last_error().toString()));
    } else {
      this.tooLate(code === ERROR.STALE_HANDLE ? undefined : errorName(code)); // stale: it has ended, and the event of that is still to come
    }
  }

  /** Nobody waits for the response any more. */
  tooLate(why = "its request has ended"): void {
    this.report("debug", "peer", `a response came too late (${why})`, undefined);
  }

  /** Passes a message about the request on. */
  protected report(level: "debug" | "error", tier: "peer" | "handler", message: string, error: unknown): void {
    const failure = error === undefined ? { message } : { message: `${message}: ${inWords(error)}`, error };
    this.host.report({ level, tier, ...failure, ...H3Request.about(this.request) });
  }
}
