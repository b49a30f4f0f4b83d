/** HTTP/3 datagrams of requests (RFC 9297). */
import { bytesOf, type BufferSource } from "../../common/buffer_source.ts";
import { datagramResult, type DatagramResult } from "../../native/datagram_result.ts";
import { SEND_FLAG } from "../../native/layout.ts";
import { library } from "../../native/library.ts";
import type { Pump } from "../../queue/pump.ts";
import type { H3Request } from "./request.ts";

/** The request that a datagram belongs to. It is the same object for all datagrams of a request. */
export class H3DatagramContext<Path extends string = string> {
  #pump: Pump;
  #handle: number;

  /** @internal */
  constructor(
    /** The request. */
    readonly request: H3Request<Path>,
    /** Its QUIC stream id. */
    readonly streamId: number,
    pump: Pump,
    handle: number,
  ) {
    this.#pump = pump;
    this.#handle = handle;
  }

  /** What names the request in its datagrams: a quarter of its stream id (RFC 9297, 2.1). */
  get flowId(): number {
    return this.streamId / 4;
  }

  /**
   * Sends a datagram of the request to the client, also later than the one that came, as long as the response has not ended. Says at
   * once what became of it.
   * @throws TypeError when `data` is neither an ArrayBuffer nor a view of one
   */
  send(data: BufferSource): DatagramResult {
    const bytes = bytesOf(data);
    const { length } = bytes;
    const code = library().zig_h3_response_send_h3_datagram(this.#handle, length === 0 ? 0 : bytes, length, 0, SEND_FLAG.LATER);
    if (code === 0) this.#pump.flushSoon();
    return datagramResult(code);
  }
}
