/** The option `fallback: "fetch"`: asks by HTTP/3 where an origin has that, and else by the global fetch(). */
import { lookup } from "node:dns/promises";
import { clearTimeout, setTimeout } from "../../common/builtins.ts";
import { H3Error } from "../../native/errors.ts";
import { ERROR } from "../../native/layout.ts";
import type { Client } from "../client.ts";
import type { ClientSet } from "../client_set.ts";
import type { ConnectionOptions } from "../types.ts";
import { Alternatives, type Alternative } from "./alternatives.ts";
import { timedOut } from "./failure.ts";
import type { Asked } from "./request.ts";
import type { RequestBody } from "./request_body.ts";

/** Ends of a fetch that say that there is no HTTP/3: none of them comes once something has been sent. */
const NO_HTTP3: ReadonlySet<number> = new Set([ERROR.REFUSED, ERROR.UNREACHABLE, ERROR.CONNECT_TIMEOUT, ERROR.HANDSHAKE]);

/** Asks by HTTP/3; `follow` may change what is asked for to where it was redirected. */
type Follow = (client: Client, asked: Asked) => Promise<Response>;

/** The global one, as it was when the package was loaded. */
const { fetch: globalFetch } = globalThis;

/** What is known of origins, and how each is asked. */
export class Fallback {
  #clients: ClientSet;
  #follow: Follow;
  #alternatives = new Alternatives();

  constructor(clients: ClientSet, follow: Follow) {
    this.#clients = clients;
    this.#follow = follow;
  }

  /** Asks, in the way that is known to work or is worth a try. */
  async fetch(asked: Asked, options: ConnectionOptions): Promise<Response> {
    const set = { ...this.#clients.base, ...options };
    for (const name of ["serverCertificateHashes", "hosts"] as const) {
      if (set[name] !== undefined && set[name] !== null) throw new TypeError(`fallback: "fetch" and ${name} do not go together: the global fetch() has no such option`);
    }
    const origin = asked.target.origin;
    const known = asked.target.protocol === "https:" ? this.#alternatives.of(origin) : null;
    if (known === null) return this.#byFetch(asked, set);
    try {
      const client = known === undefined ? this.#clients.get(options) : await this.#at(known, asked.target.url, options);
      const response = await this.#follow(client, asked);
      this.#alternatives.learn(asked.target.origin, response.headers.get("alt-svc"));
      return response;
    } catch (error) {
      const plain = asked.target.protocol === "http:"; // it was redirected there
      const cause = (error as { cause?: unknown } | null)?.cause;
      const none = cause instanceof H3Error && NO_HTTP3.has(cause.errno);
      if (none) this.#alternatives.broken(asked.target.origin);
      const begun = asked.body !== undefined && "stream" in asked.body && asked.body.stream.locked;
      if ((!plain && !none) || begun) throw error;
      return this.#byFetch(asked, set);
    }
  }

  /** The client that finds an origin at its alternative. Certificates are looked at for the origin's own name (RFC 7838, 2.1). */
  async #at({ host, port }: Alternative, url: URL, options: ConnectionOptions): Promise<Client> {
    const name = url.hostname.replace(/^\[|\]$/g, "");
    const own = url.port === "" ? 443 : Number(url.port);
    if ((host === "" || host === url.hostname) && port === own) return this.#clients.get(options);
    const found = await lookup(host === "" ? name : host.replace(/^\[|\]$/g, ""), { all: true });
    const where = found.map(({ address, family }) => (family === 6 ? `[${address}]:${port}` : `${address}:${port}`));
    return this.#clients.get({ ...options, hosts: { [`${url.hostname}:${own}`]: where } });
  }

  async #byFetch(asked: Asked, { tls }: ConnectionOptions): Promise<Response> {
    const { target, method, headers, body, wishes } = asked;
    const fields = Object.entries(headers).flatMap(([name, value]) => (typeof value === "string" ? [[name, value]] : value.map((one) => [name, one])));
    const { redirect, maxRedirects, decompress, timeout } = wishes;
    const init = { method, headers: fields as [string, string][], body: body === undefined ? null : bodyInit(body), redirect, maxRedirects, decompress, timeout: timeout || false };
    const watch = new HeadWatch(asked);
    const { signal } = watch;
    let response: Response;
    try {
      response = await globalFetch(target.href, { ...init, ...(signal === undefined ? {} : { signal }), ...(tls === undefined ? {} : { tls }), duplex: "half" } as RequestInit);
    } finally {
      watch.end();
    }
    this.#alternatives.learn(new URL(response.url).origin, response.headers.get("alt-svc"));
    return response;
  }
}

/** Bounds the wait for the head of a response that fetch() gives. What goes up meanwhile is not to be seen from here: of a body Bun's own clock is the bound. */
class HeadWatch {
  /** Gives the request up. */
  readonly signal: AbortSignal | undefined;
  #timer: Timer | undefined;

  constructor({ target, signal, body, wishes: { timeout } }: Asked) {
    this.signal = signal;
    if (timeout === 0 || body !== undefined) return;
    const late = new AbortController();
    this.#timer = setTimeout(() => late.abort(timedOut(`nothing came of ${target.href} for ${timeout} ms`)), timeout);
    this.signal = signal === undefined ? late.signal : AbortSignal.any([signal, late.signal]);
  }

  end(): void {
    clearTimeout(this.#timer);
  }
}

/** A body for fetch(). */
function bodyInit(body: RequestBody): Uint8Array | Blob | ReadableStream {
  if ("bytes" in body) return body.bytes;
  if ("blob" in body) return body.blob;
  return body.stream;
}
