/** A request that could not be answered at once: what must be known of it until its end. */
import type { H3DatagramContext } from "./h3_datagram.ts";
import type { H3Request } from "./request.ts";
import type { RequestBody } from "./request_body.ts";
import type { Target } from "./dispatcher.ts";

/** Ends a response that is under way. */
export interface Sending {
  /** The library takes bytes again. */
  writable(): void;
  /** The request has ended. */
  closed(reason: unknown): void;
}

/** One request between its event and its end. */
export class Exchange {
  /** The handler's Request; undefined while a buffered body is still coming. */
  request: H3Request | undefined;
  /** What comes of the request's body, if it was not all there. */
  body: RequestBody | undefined;
  /** The response, while it is being sent in parts. */
  sending: Sending | undefined;
  /** Who takes the request's datagrams, if its route does, and its stream's id. */
  datagrams: H3DatagramContext | undefined;
  streamId = 0;
  /** Pieces of a body whose handler waits for all of it, and how to go on then. */
  pieces: Uint8Array[] | undefined;
  begin: ((pieces: Uint8Array[]) => void) | undefined;
  /** The request is over: what the handler gives is of no use any more. */
  gone = false;

  constructor(
    readonly handle: number,
    readonly target: Target,
  ) {}

  /** The request has ended early: tells everybody who waits for something of it. */
  fail(reason: unknown): void {
    this.gone = true;
    this.body?.fail(reason);
    this.sending?.closed(reason);
  }
}
