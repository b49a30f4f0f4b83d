/** What HTTP/3 tells of a response, for who asks. */
import { bytesOf, type BufferSource } from "../../common/buffer_source.ts";
import { datagramResult, type DatagramResult } from "../../native/datagram_result.ts";
import { ERROR, SEND_FLAG } from "../../native/layout.ts";
import { library } from "../../native/library.ts";
import type { FetchExchange } from "./exchange.ts";
import { prioritize } from "./native_fetch.ts";
import { checkPriority, USUAL, type PriorityOption } from "./priority.ts";
import type { InformationalResponse, ResponseConnection, ResponseDetails, ResponseTimings } from "./response.ts";

/** The details of one response. */
export class FetchDetails implements ResponseDetails {
  #exchange: FetchExchange;

  constructor(
    exchange: FetchExchange,
    readonly streamId: number,
    readonly early: boolean,
  ) {
    this.#exchange = exchange;
  }

  get trailers(): Promise<Headers> {
    return this.#exchange.trailers;
  }

  get informational(): readonly InformationalResponse[] {
    return this.#exchange.informationals;
  }

  get connection(): ResponseConnection | undefined {
    const { connection, timings } = this.#exchange;
    if (connection === undefined) return undefined;
    const { handle, remote, local, opened } = connection;
    return { id: handle, remote, local, reused: opened < timings.start, sendQuicDatagram: (data) => this.#exchange.raw(connection).send(data) };
  }

  get timings(): ResponseTimings {
    return { ...this.#exchange.timings };
  }

  prioritize(priority: PriorityOption): void {
    const wanted = checkPriority(priority) ?? USUAL;
    if (!this.#exchange.gone) prioritize(this.#exchange.handle, wanted);
  }

  sendDatagram(data: BufferSource): DatagramResult {
    const bytes = bytesOf(data);
    const { length } = bytes;
    const { handle } = this.#exchange;
    const code = library().zig_h3_request_send_datagram(handle, length === 0 ? 0 : bytes, length, 0, SEND_FLAG.LATER);
    if (code === 0) this.#exchange.flushSoon();
    return code === ERROR.INVALID_HANDLE ? "closed" : datagramResult(code);
  }
}
