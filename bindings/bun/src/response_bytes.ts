/**
 * Sends a large body that is in memory, a part at a time as the network takes it: what has not been sent stays where it is instead of
 * lying in the library a second time, and it is let go with its last byte instead of at the next collection.
 */
import { errorName } from "./errors.ts";
import { about } from "./failure.ts";
import type { Exchange, Sending } from "./exchange.ts";
import { ERROR, H3_INTERNAL_ERROR } from "./layout.ts";
import { library } from "./library.ts";
import { scratch, TAKEN } from "./memory.ts";
import { RETRY } from "./retry.ts";
import type { H3Server } from "./server.ts";

/** Bodies up to this go out with their response in one call. */
export const LARGEST_WHOLE = 256 << 10;

/** How much of it is given at a time: the engine tells when one has left, so several make a high-water mark. */
const PIECE = 256 << 10;

/** One such body. Status and headers have been set; they go with the first bytes. */
export class ResponseBytes implements Sending {
  #exchange: Exchange;
  #server: H3Server;
  #bytes: Uint8Array;
  /** How many of them the library has taken. */
  #at = 0;

  /** @param bytes the body. Nobody else may use its memory: it is given back once it is sent */
  constructor(exchange: Exchange, server: H3Server, bytes: Uint8Array) {
    this.#exchange = exchange;
    this.#server = server;
    this.#bytes = bytes;
  }

  writable(): void {
    if (!this.#exchange.gone) this.run();
  }

  closed(): void {
    this.#letGo();
  }

  /** Gives the library what it takes now; what is left waits for its WRITABLE event. */
  run(): void {
    const native = library();
    const memory = scratch();
    const { handle } = this.#exchange;
    while (this.#at < this.#bytes.length) {
      const piece = this.#bytes.subarray(this.#at, this.#at + PIECE);
      const code = native.zig_h3_response_write(handle, piece, piece.length, memory.results + TAKEN);
      if (code === ERROR.WOULD_BLOCK) return;
      if (code !== 0) return this.#over(code);
      this.#at += memory.u64(TAKEN);
      if (memory.u64(TAKEN) < piece.length) return;
    }
    this.#finish();
  }

  #finish(): void {
    const exchange = this.#exchange;
    if (exchange.gone) return;
    const code = library().zig_h3_response_end(exchange.handle, 0, 0);
    if (code === ERROR.WOULD_BLOCK) {
      setTimeout(() => this.#finish(), RETRY);
      return;
    }
    if (code !== 0) return this.#over(code);
    this.#letGo();
    exchange.sending = undefined;
    // The response is complete; a body that nobody reads need not come any more.
    if (exchange.body !== undefined && !exchange.body.settled && !exchange.body.held) exchange.body.stop();
  }

  /** The library takes no more of this response. */
  #over(code: number): void {
    this.#letGo();
    if (code === ERROR.NO_MEMORY) {
      const message = `a response was cut off: ${library().zig_h3_last_error().toString()} (${errorName(code)})`;
      this.#server.report({ level: "error", tier: "engine", message, ...about(this.#exchange.request!) });
      library().zig_h3_response_reset(this.#exchange.handle, H3_INTERNAL_ERROR);
    } else {
      this.#exchange.gone = true;
    }
  }

  #letGo(): void {
    (this.#bytes.buffer as ArrayBuffer).transfer(0);
    this.#at = 0; // of none
  }
}
