/** createH3Client(): a client with connections and defaults of its own. */
import { recognized } from "../../common/recognized.ts";
import { checkKeys } from "../../common/option_checks.ts";
import { ClientSet } from "../client_set.ts";
import { checkHost, connectionOptions, CONNECTION_KEYS, HOST_KEYS } from "../options.ts";
import { Fetcher } from "./fetcher.ts";
import { checkWishes, defaultHeaders, DEFAULTS_KEYS } from "./request.ts";
import type { H3Response } from "./response.ts";
import type { ConnectionOptions } from "../types.ts";
import type { H3ClientOptions, H3Fetch, H3FetchInit } from "./types.ts";

const KEYS = new Set<string>([...CONNECTION_KEYS, ...HOST_KEYS, ...DEFAULTS_KEYS, "headers"]);

/** What is left of a client that was dropped without close(). */
const dropped = new FinalizationRegistry<ClientSet>((clients) => {
  for (const client of clients.clients) {
    client.report({ level: "warn", tier: "config", message: "a client was dropped without close(): it is closed once nothing of it is under way" });
  }
  clients.retire();
});

/**
 * A client with connections and defaults of its own. One that nobody waits for keeps no process, and one that is dropped is closed by the
 * garbage collector at last.
 */
export class H3Client implements Disposable, AsyncDisposable {
  #fetcher: Fetcher;
  #clients: ClientSet;

  /**
   * @throws TypeError or RangeError that names a wrong option
   * @throws H3Error when the engine does not take an option, or a file of theirs
   */
  constructor(options: H3ClientOptions = {}) {
    checkKeys("", options, KEYS);
    this.#clients = new ClientSet(connectionOptions(options), checkHost(options));
    this.#fetcher = new Fetcher(this.#clients, defaultHeaders(options.headers), checkWishes(options));
    this.#clients.first();
    const fetcher = this.#fetcher;
    this.fetch = Object.assign((input: string | URL | Request, init?: H3FetchInit) => fetcher.fetch(input, init) as Promise<H3Response>, {
      preconnect: (url: string | URL, options?: ConnectionOptions) => fetcher.preconnect(url, options),
    });
    // Who has that alone has all that is needed, and the client has it, too.
    dropped.register(this.fetch, this.#clients, this);
  }

  /** As h3Fetch(), over connections of this client. It may be given away alone, to a library that takes a fetch. */
  readonly fetch: H3Fetch;

  /** The engine's counters by name, of all connections of the client. docs/client-options.md and docs/abi.md say what they count. */
  stats(): Record<string, number> {
    if (this.#clients.closed) throw new Error("the client is closed");
    const sum: Record<string, number> = {};
    for (const client of this.#clients.clients) {
      for (const [name, value] of Object.entries(client.stats())) sum[name] = (sum[name] ?? 0) + value;
    }
    return sum;
  }

  /** Has those that wait for something keep the process, as from the start. */
  ref(): void {
    this.#clients.setRef(true);
  }

  /** Lets the process end though somebody waits for something. */
  unref(): void {
    this.#clients.setRef(false);
  }

  /**
   * Closes it: it takes no more. What is under way ends now, or may finish within `deadlineMs`. Resolves when its connections are closed.
   */
  close(options: { deadlineMs?: number } = {}): Promise<void> {
    const { deadlineMs = 0 } = options;
    if (typeof deadlineMs !== "number") throw new TypeError("close() takes an object with deadlineMs, a number of ms");
    if (!(deadlineMs >= 0)) throw new RangeError(`deadlineMs of close() must be a number from 0, not ${deadlineMs}`);
    dropped.unregister(this);
    return this.#clients.close(deadlineMs === Infinity ? -1 : Math.min(Math.ceil(deadlineMs), 0x7fffffff));
  }

  /** close(), for `using`. */
  [Symbol.dispose](): void {
    void this.close();
  }

  /** close(), for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

recognized(H3Client, "H3Client");

/**
 * Makes a client with connections and defaults of its own.
 *
 *     await using client = createH3Client({ tls: { ca: Bun.file("ca.pem") }, headers: { authorization: "Bearer …" } });
 *     const response = await client.fetch("https://example.com/");
 *
 * @throws as new H3Client()
 */
export function createH3Client(options?: H3ClientOptions): H3Client {
  return new H3Client(options);
}
