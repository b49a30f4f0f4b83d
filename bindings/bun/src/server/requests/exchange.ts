/** A request that could not be answered at once: what must be known of it until its end. */
import { callLogged } from "../../common/failure.ts";
import type { LogRecord, Reporter } from "../../common/log.ts";
import type { IncomingBody } from "../../http/incoming_body.ts";
import type { Carrier, Sending } from "../../http/outgoing.ts";
import type { RequestSink } from "../../queue/dispatcher.ts";
import { H3Request } from "../api/request.ts";

/** What a request must know of its server. */
export interface ExchangeHost extends Reporter {
  /** Bytes that a request's body may have. */
  readonly bodyLimit: number;
  /** Ends a request whose body has grown over the limit. */
  tooLarge(exchange: Exchange): void;
}

/** One request between its event and its end. */
export class Exchange implements RequestSink, Carrier {
  /** The handler's Request; undefined while a buffered body is still coming. */
  request: H3Request | undefined;
  /** What comes of the request's body, if it was not all there. */
  body: IncomingBody | undefined;
  /** The response, while it is being sent in parts. */
  sending: Sending | undefined;
  /** Takes the request's datagrams, if its route has who does. */
  datagrams: ((payload: Uint8Array<ArrayBuffer>) => unknown) | undefined;
  /** Pieces of a body whose handler waits for all of it, and how to go on then. */
  pieces: Uint8Array[] | undefined;
  begin: ((pieces: Uint8Array[]) => void) | undefined;
  readonly what = "response";
  /** The request is over: what the handler gives is of no use any more. */
  gone = false;

  constructor(
    readonly handle: number,
    readonly owner: ExchangeHost,
  ) {}

  /** What messages say of it. */
  about(): Partial<LogRecord> {
    return this.request === undefined ? {} : H3Request.about(this.request);
  }

  /** The response's body has failed. */
  bodyFailed(record: LogRecord): void {
    this.owner.report({ ...record, ...this.about() });
  }

  /** Some of its body has come. */
  piece(bytes: Uint8Array): void {
    if (this.pieces !== undefined) this.pieces.push(bytes);
    else if (this.body !== undefined && this.body.push(bytes) > this.owner.bodyLimit) this.owner.tooLarge(this);
  }

  /** Its body has come. */
  bodyEnd(): void {
    if (this.pieces !== undefined) this.begin!(this.pieces);
    else this.body?.end();
  }

  /** The library takes more of the response. */
  writable(): void {
    this.sending?.writable();
  }

  /** One of its datagrams has come. */
  datagram(payload: Uint8Array<ArrayBuffer>): void {
    const { datagrams } = this;
    if (datagrams !== undefined) callLogged(this.owner, "h3Datagram", () => datagrams(payload), () => this.about());
  }

  /** The response is complete; a body that nobody reads need not come any more. */
  sent(): void {
    this.sending = undefined;
    if (this.body !== undefined && !this.body.settled && !this.body.held) this.body.stop();
  }

  /** All is over, and in order. */
  finished(): void {
    this.gone = true;
    // What was read of the body stands; whoever still waits for more of it waits in vain.
    if (this.body?.over === false) this.body.fail(new DOMException("The request has ended", "AbortError"));
  }

  /** The request has ended early: tells everybody who waits for something of it. */
  fail(reason: unknown): void {
    this.gone = true;
    this.body?.fail(reason);
    this.sending?.closed(reason);
    if (this.request !== undefined) H3Request.abort(this.request, reason);
  }
}
