/** From a request to its Response: asks, follows redirects, and undoes content codings. */
import { H3Error } from "../../native/errors.ts";
import { ERROR, FETCH_FLAG } from "../../native/layout.ts";
import { lastError } from "../../native/library.ts";
import { scratch } from "../../native/memory.ts";
import { writeHeaders, type Listed } from "../../native/packed.ts";
import { whenWritable } from "../../native/refused.ts";
import { OutgoingBytes, sharedBlob, sharedBytes, type Source } from "../../http/outgoing_bytes.ts";
import { OutgoingStream } from "../../http/outgoing_stream.ts";
import type { Client } from "../client.ts";
import type { ClientSet } from "../client_set.ts";
import { connectionOptions } from "../options.ts";
import type { ConnectionOptions } from "../types.ts";
import { codingsOf, decodeStream, decodeWhole } from "./decode.ts";
import { FetchDetails } from "./details.ts";
import { FetchExchange, type Answer } from "./exchange.ts";
import { fetchFailed } from "./failure.ts";
import { Fallback } from "./fallback.ts";
import { ask, REQUEST_BODY } from "./native_fetch.ts";
import { preconnect } from "./preconnect.ts";
import { redirected, redirectTarget } from "./redirect.ts";
import { checkRequest, type Asked, type RequestWishes } from "./request.ts";
import { discard, LARGEST_WHOLE, ready, settled, type Lease, type RequestBody } from "./request_body.ts";
import { H3Response } from "./response.ts";
import { fieldsOf, type ResponseFields } from "./response_heads.ts";
import { addressed } from "./target.ts";
import type { H3FetchInit } from "./types.ts";

/** Statuses whose responses have no body. */
const BODILESS = new Set([204, 205, 304]);

/** Methods whose requests say that they have no body. */
const SAY_EMPTY = new Set(["POST", "PUT", "PATCH"]);

/** Makes requests through the clients of a set. */
export class Fetcher {
  readonly clients: ClientSet;
  #fallback: Fallback | undefined;
  #headers: Listed;
  #wishes: RequestWishes;

  /**
   * @param headers fields that are sent where a request has none of that name
   * @param wishes what holds where a request says nothing
   */
  constructor(clients: ClientSet, headers: Listed, wishes: RequestWishes) {
    this.clients = clients;
    this.#headers = headers;
    this.#wishes = wishes;
  }

  /** As fetch.preconnect(). */
  preconnect(input: unknown, options: ConnectionOptions = {}): Promise<void> {
    const { url, protocol } = addressed(input).target;
    if (protocol !== "https:") throw new TypeError(`HTTP/3 has https: alone, not ${protocol}`);
    return preconnect(this.clients.get(options ?? {}), url);
  }

  /** As fetch(). */
  fetch(input: unknown, init: H3FetchInit = {}): Promise<Response> {
    try {
      const given = init ?? {};
      const asked = checkRequest(input, given, this.#headers, this.#wishes);
      if (asked instanceof Promise || asked.body !== undefined || asked.wishes.fallback) return this.#fetch(asked, given);
      // Most have no body, and nothing to be done for it: one promise less.
      mayBeAsked(asked);
      return follow(this.clients.get(given), asked);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** What has a body, or may not go over HTTP/3. */
  async #fetch(checked: Asked | Promise<Asked>, init: H3FetchInit): Promise<Response> {
    const asked = checked instanceof Promise ? await checked : checked;
    try {
      mayBeAsked(asked);
      const { fallback, compression } = asked.wishes;
      if (!fallback) return await kept(this.clients.get(init), asked, send);
      if (compression !== undefined && asked.body !== undefined) await compress(asked);
      return await (this.#fallback ??= new Fallback(this.clients, (client, asked) => kept(client, asked, follow))).fetch(asked, connectionOptions(init));
    } catch (error) {
      discard(asked.body, error);
      throw error;
    }
  }
}

/** Asks a client that nobody may have any more, or for these options: it is there until there is a response, whatever has to be waited for before. */
async function kept(client: Client, asked: Asked, by: typeof follow): Promise<Response> {
  client.opened();
  try {
    return await by(client, asked);
  } finally {
    client.ended();
  }
}

/** Asks with a body, which is made smaller before if that is wished for. */
async function send(client: Client, asked: Asked): Promise<Response> {
  if (asked.wishes.compression !== undefined && asked.body !== undefined) await compress(asked);
  const { body } = asked;
  try {
    return await follow(client, asked);
  } finally {
    settled(body);
  }
}

/**
 * Looks whether it is to be asked at all.
 * @throws the reason of its signal, or a TypeError for a protocol that is not asked by
 */
function mayBeAsked({ signal, target, wishes }: Asked): void {
  signal?.throwIfAborted();
  const { protocol } = target;
  if (protocol !== "https:" && !(wishes.fallback && protocol === "http:")) throw new TypeError(`HTTP/3 has https: alone, not ${protocol}`);
}

/** Makes a body that is in memory smaller, unless it has a coding already. */
async function compress(asked: Asked): Promise<void> {
  const { compression } = asked.wishes;
  if (asked.headers["content-encoding"] !== undefined) return;
  const body = await ready(asked.body!);
  asked.body = body;
  const bytes = "bytes" in body ? body.bytes : "blob" in body ? new Uint8Array(await body.blob.arrayBuffer()) : undefined;
  if (bytes === undefined) return;
  asked.body = { bytes: await compression!.run(bytes) };
  asked.headers["content-encoding"] = compression!.coding;
}

/** Asks until there is a response that redirects nowhere. */
async function follow(client: Client, asked: Asked): Promise<Response> {
  for (let redirects = 0; ; redirects++) {
    const begun = begin(client, asked);
    const exchange = begun instanceof Promise ? await begun : begun;
    const answer = await exchange.answer;
    const { status } = answer.head;
    const fields = fieldsOf(answer.head.fields);
    const { redirect, maxRedirects } = asked.wishes;
    if (redirect === "manual" || status < 300 || status > 399) return respond(exchange, answer, fields, asked, redirects > 0);
    let target: URL | undefined;
    try {
      target = redirectTarget(status, fields.location, asked.target.url);
      if (target === undefined) return respond(exchange, answer, fields, asked, redirects > 0);
      if (redirect === "error") throw fetchFailed(new H3Error(ERROR.REJECTED, `${asked.target.href} redirects to ${target.href}, and redirect is "error"`));
      if (redirects >= maxRedirects) throw fetchFailed(new H3Error(ERROR.LIMIT, `more than ${maxRedirects} redirects, the last to ${target.href}`));
      redirected(asked, status, target);
    } finally {
      // What it says beside that interests nobody.
      if (target !== undefined) exchange.letGo();
    }
  }
}

/** Asks. What is wrong with it, the answer tells. A promise only where a body has to be looked at. */
function begin(client: Client, asked: Asked): FetchExchange | Promise<FetchExchange> {
  const body = asked.body === undefined ? undefined : ready(asked.body);
  return body instanceof Promise ? body.then((body) => beginWith(client, asked, body)) : beginWith(client, asked, body);
}

function beginWith(client: Client, asked: Asked, body: RequestBody | undefined): FetchExchange {
  const { signal, onDatagram } = asked;
  signal?.throwIfAborted();
  const exchange = new FetchExchange(client, asked.method, asked.target.href, { signal, timeout: asked.wishes.timeout, onDatagram });
  if (client.over) exchange.giveUp(fetchFailed(client.overError()));
  else new Sender(client, exchange, asked, body).send();
  return exchange;
}

/** Gives one request to the library. */
class Sender {
  readonly #whole: Uint8Array | null;
  readonly #flags: number;

  constructor(
    readonly client: Client,
    readonly exchange: FetchExchange,
    readonly asked: Asked,
    readonly body: RequestBody | undefined,
  ) {
    const { headers, method } = asked;
    const whole = body === undefined || ("bytes" in body && body.bytes.length <= LARGEST_WHOLE);
    this.#whole = body !== undefined && "bytes" in body && whole ? body.bytes : null;
    this.#flags = FETCH_FLAG.LATER | (whole ? FETCH_FLAG.END : 0) | (asked.onDatagram === undefined ? 0 : FETCH_FLAG.DATAGRAMS);
    if (body === undefined) {
      if (SAY_EMPTY.has(method)) headers["content-length"] = "0";
      else delete headers["content-length"];
    } else if ("bytes" in body) {
      headers["content-length"] = String(body.bytes.length);
    } else if ("blob" in body) {
      headers["content-length"] = String(body.blob.size);
    } else if (body.length !== undefined) {
      headers["content-length"] = String(body.length);
    } else if (headers["content-length"] !== undefined && !/^\d{1,15}$/.test(String(headers["content-length"]))) {
      delete headers["content-length"];
    }
  }

  /** Asks, at once or when there is room. */
  send(): void {
    const { client, exchange, asked } = this;
    if (exchange.gone) return;
    const length = writeHeaders(scratch().headers, asked.headers);
    if (length < 0) return exchange.giveUp(fetchFailed(new H3Error(ERROR.TOO_LARGE, "the headers of a request are larger than 64 KiB")));
    const code = ask(client.handle, asked.method, asked.target.href, length, this.#whole, this.#flags);
    if (code === ERROR.WOULD_BLOCK) return whenWritable(client.handle, () => this.send());
    if (code === ERROR.STALE_HANDLE) return exchange.giveUp(fetchFailed(client.overError()));
    if (code !== 0) return exchange.giveUp(fetchFailed(code === ERROR.TOO_LARGE ? new H3Error(code, "the URL or the headers of a request are larger than 64 KiB") : lastError(code)));
    exchange.begun(scratch().u64(0));
    client.pump.flushSoon();
    this.#sendBody();
  }

  /** Sends what the library was not given at once. */
  #sendBody(): void {
    const { exchange, body } = this;
    if (body === undefined || this.#whole !== null) return;
    if ("stream" in body) {
      const declared = this.asked.headers["content-length"];
      const length = declared === undefined ? undefined : Number(declared);
      exchange.send((upload) => new OutgoingStream(upload, REQUEST_BODY, body.stream, length, undefined));
    } else {
      const source = "bytes" in body ? leased(body.bytes, body.lease) : sharedBlob(body.blob);
      exchange.send((upload) => new OutgoingBytes(upload, REQUEST_BODY, source));
    }
  }
}

/** Bytes whose memory the sending needs. */
function leased(bytes: Uint8Array, lease: Lease | undefined): Source {
  lease?.join();
  return sharedBytes(bytes, () => lease?.letGo());
}

/** Makes the Response. */
function respond(exchange: FetchExchange, { head, body }: Answer, fields: ResponseFields, asked: Asked, redirects: boolean): Response {
  const { status } = head;
  const { href, plain } = asked.target;
  const origin = { url: plain, redirected: redirects, details: new FetchDetails(exchange, head.streamId, head.early) };
  try {
    return new H3Response(bodyOf(asked, fields, head, body), { status, headers: fields.headers }, origin);
  } catch (error) {
    const failure = error instanceof RangeError ? fetchFailed(new H3Error(ERROR.PROTOCOL, `${href} answers with the status ${status}`)) : error;
    exchange.giveUp(failure);
    throw failure;
  }
}

function bodyOf(asked: Asked, { encoding }: ResponseFields, head: Answer["head"], body: Answer["body"]): Uint8Array | ReadableStream | null {
  if (asked.method === "HEAD" || BODILESS.has(head.status)) return null;
  const codings = asked.wishes.decompress ? codingsOf(encoding) : undefined;
  if (body === undefined) {
    const bytes = head.data ?? new Uint8Array(0);
    if (codings === undefined || bytes.length === 0) return bytes;
    return decodeWhole(codings, bytes) ?? decodeStream(codings, new Blob([bytes]).stream());
  }
  return codings === undefined ? body.stream() : decodeStream(codings, body.stream());
}
