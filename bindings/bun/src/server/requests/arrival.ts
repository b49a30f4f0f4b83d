/** From the events that begin a request or a session to its handler: who answers, with what of the body, or why nobody does. */
import { HeadReader, type RequestHead } from "../../http/head_reader.ts";
import { IncomingBody } from "../../http/incoming_body.ts";
import { FLAG, H3_INTERNAL_ERROR, RECORD_SIZE } from "../../native/layout.ts";
import { library } from "../../native/library.ts";
import type { Target } from "../../queue/dispatcher.ts";
import { AUX, CONN, DATA_LEN, META_LEN, TYPE, type RecordReader } from "../../queue/records.ts";
import { H3DatagramContext } from "../api/h3_datagram.ts";
import { H3Request } from "../api/request.ts";
import type { Route } from "../routes/route.ts";
import { answer } from "./answer.ts";
import { askSession } from "./ask_session.ts";
import { Exchange } from "./exchange.ts";
import type { RequestHost } from "./host.ts";
import { REQUEST } from "./message_calls.ts";
import { refuse } from "./refusal.ts";
import { sendPacked } from "./send.ts";

/** One reader of heads for all routes of a queue: what it keeps of a request's head serves the next one, whichever route that takes. */
const readers = new WeakMap<RecordReader, HeadReader>();

function readerOf(records: RecordReader): HeadReader {
  let reader = readers.get(records);
  if (reader === undefined) {
    const { bytes, words } = records.memory;
    readers.set(records, (reader = new HeadReader(bytes, words)));
  }
  return reader;
}

/** Where the requests of one native route of a server go. */
export class Arrival implements Target {
  /** Undefined while the server does not run: then nothing here keeps it from being collected. */
  owner: RequestHost | undefined;
  /** Undefined: a reload took it away, and the server looks for what has taken its place. */
  route: Route | undefined;

  #records: RecordReader;
  #heads: HeadReader;

  constructor(records: RecordReader) {
    this.#records = records;
    this.#heads = readerOf(records);
  }

  request(handle: number, at: number): void {
    const host = this.owner;
    if (host === undefined) {
      library().zig_h3_response_reset(handle, H3_INTERNAL_ERROR); // cannot be: no request comes after its server's end
      return;
    }
    const records = this.#records;
    const { u32 } = records;
    const word = at >>> 2;
    const flags = u32[word + TYPE]! >>> 16;
    const complete = (flags & FLAG.END) !== 0;
    const conn = records.u64(word + CONN);
    const head = this.#heads.read(at + RECORD_SIZE, u32[word + META_LEN]!);
    const data = u32[word + DATA_LEN]! === 0 ? null : records.data(at);
    const tooLarge = data !== null && data.length > host.bodyLimit;
    if (complete && tooLarge) {
      refuse(host, handle, { status: 413 }, undefined);
      return;
    }
    const datagrams = this.route?.h3Datagram !== undefined;
    if (complete && !datagrams) {
      const packed = this.route?.packed;
      if (packed !== undefined && head.valid && sendPacked(host, handle, packed, head.method)) return;
      this.#handle(host, handle, conn, head, data, undefined, 0);
      return;
    }
    const exchange = new Exchange(handle, host);
    host.dispatcher.exchanges.set(handle, exchange);
    const streamId = datagrams ? records.u64(word + AUX) : 0;
    if (complete) {
      this.#handle(host, handle, conn, head, data, exchange, streamId);
      return;
    }
    if ((flags & FLAG.BUFFERED) !== 0) {
      exchange.pieces = data === null ? [] : [data];
      exchange.begin = (pieces) => {
        host.dispatcher.exchanges.delete(handle);
        this.#handle(host, handle, conn, head, pieces.length === 0 ? null : Buffer.concat(pieces), undefined, 0);
      };
      return;
    }
    exchange.body = new IncomingBody(REQUEST, handle, data);
    if (tooLarge || Number(head.headers.get("content-length")) > host.bodyLimit) {
      host.tooLarge(exchange);
      return;
    }
    this.#handle(host, handle, conn, head, exchange.body.stream, exchange, streamId);
  }

  sessionRequest(handle: number, at: number): void {
    if (this.owner === undefined) return; // cannot be; the engine rejects what nobody decides
    const word = at >>> 2;
    const head = this.#heads.read(at + RECORD_SIZE, this.#records.u32[word + META_LEN]!);
    askSession(this.owner, this.route, handle, this.#records.u64(word + CONN), head);
  }

  /** Calls the handler. @param streamId only with datagrams */
  #handle(
    host: RequestHost,
    handle: number,
    conn: number,
    head: RequestHead,
    body: Uint8Array | ReadableStream<Uint8Array> | null,
    exchange: Exchange | undefined,
    streamId: number,
  ): void {
    const route = this.route ?? host.reroute(head.method, head.path);
    if (!("handler" in route)) {
      refuse(host, handle, route, exchange);
      return;
    }
    let request: H3Request;
    try {
      request = new H3Request(head.url, body === null ? head.init : head.initWith(body), head, route, conn);
    } catch (error) {
      // An authority that makes no URL: the client's fault.
      host.report({ level: "debug", tier: "peer", message: `a request makes no URL: ${head.url}`, error });
      refuse(host, handle, { status: 400 }, exchange);
      return;
    }
    if (exchange !== undefined) {
      exchange.request = request;
      const { h3Datagram } = route;
      if (h3Datagram !== undefined) {
        const context = new H3DatagramContext(request, streamId, host.pump, handle);
        exchange.datagrams = (payload) => h3Datagram.call(host, payload, context);
      }
    }
    answer(host, route, request, handle, exchange);
  }
}
