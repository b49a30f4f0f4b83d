/** The datagrams of a session with what older drafts called some things, too. */
import type { DatagramInbox } from "./inbox.ts";
import { WebTransportDatagramDuplexStream, type DatagramSource } from "./duplex.ts";
import { checkLimit } from "./limits.ts";
import type { DatagramOutbox } from "./outbox.ts";
import type { WebTransportDatagramsWritable } from "./writable.ts";

/**
 * Those of a server's session. A client's has the standard's names only, as browsers come to have: there a name that is missing is how
 * programs tell which one to use.
 */
export class OlderDatagramDuplexStream extends WebTransportDatagramDuplexStream {
  #queues: { readonly inbox: DatagramInbox; readonly outbox: DatagramOutbox };
  #writable: WebTransportDatagramsWritable | undefined;

  /** @internal */
  constructor(inside: symbol, source: DatagramSource) {
    super(inside, source);
    this.#queues = source;
  }

  /** A writable that is always the same one. New code calls createWritable(). */
  get writable(): WebTransportDatagramsWritable {
    return (this.#writable ??= this.makeWritable({}));
  }

  /** The older name of incomingMaxBufferedDatagrams. */
  get incomingHighWaterMark(): number {
    return this.#queues.inbox.limit;
  }

  /** @throws RangeError for a negative number and NaN. Less than 1 is taken for 1 */
  set incomingHighWaterMark(value: number) {
    this.#queues.inbox.limit = checkLimit("incomingHighWaterMark", value);
  }

  /** The older name of outgoingMaxBufferedDatagrams. */
  get outgoingHighWaterMark(): number {
    return this.#queues.outbox.limit;
  }

  /** @throws RangeError for a negative number and NaN. Less than 1 is taken for 1 */
  set outgoingHighWaterMark(value: number) {
    this.#queues.outbox.limit = checkLimit("outgoingHighWaterMark", value);
  }
}
