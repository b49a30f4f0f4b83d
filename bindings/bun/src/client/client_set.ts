/** Clients by their options: one for each set of those that somebody asks with. */
import { AskedOptions } from "./asked_options.ts";
import { Client } from "./client.ts";
import { checkConnection, connectionOptions, CONNECTION_KEYS, type CheckedHost } from "./options.ts";
import type { ConnectionOptions } from "./types.ts";

/** How many are kept beside the first. Beyond it the one that was asked longest ago goes, once all has ended that it was asked for. */
const MOST = 32;

/** What a set begins with, and those that differ from that. */
export class ClientSet {
  /** Its own options. */
  readonly base: ConnectionOptions;
  #host: CheckedHost;
  #first: Client | undefined;
  /** By their options. The one that was asked last is the last. */
  #others = new Map<string, Client>();
  /** What the last of them was asked for with. */
  #asked: AskedOptions | undefined;
  #last: Client | undefined;
  #closed = false;
  /** Who waits keeps the process. */
  #ref = true;

  constructor(base: ConnectionOptions, host: CheckedHost) {
    this.base = base;
    this.#host = host;
  }

  /**
   * The client for connections as these, the same for equal options.
   * @param options those that differ; each takes the place of the set's own as a whole
   * @throws TypeError or RangeError that names a wrong option
   * @throws H3Error when the engine does not take an option, or a file of theirs
   */
  get(options: ConnectionOptions): Client {
    const given = options as Record<string, unknown>;
    if (this.#closed || CONNECTION_KEYS.every((key) => given[key] === undefined || given[key] === null)) return this.first();
    if (this.#last !== undefined && !this.#replaceable(this.#last) && this.#asked!.equal(options)) return this.#last;
    const client = this.#other({ ...this.base, ...connectionOptions(options) });
    this.#asked = AskedOptions.of(options);
    this.#last = this.#asked === undefined ? undefined : client;
    return client;
  }

  /** The client of the set's own options. */
  first(): Client {
    if (this.#first === undefined || this.#replaceable(this.#first)) this.#first = this.#made(checkConnection(this.base, this.#host));
    return this.#first;
  }

  /** All of them. */
  get clients(): Client[] {
    return [...(this.#first === undefined ? [] : [this.#first]), ...this.#others.values()];
  }

  /** Whether those that wait keep the process. */
  setRef(ref: boolean): void {
    this.#ref = ref;
    for (const client of this.clients) client.setRef(ref);
  }

  /** Closes all of them, for good: see Client.close(). */
  async close(deadlineMs: number): Promise<void> {
    this.#closed = true;
    await Promise.all(this.clients.map((client) => client.close(deadlineMs)));
  }

  /** Whether it was closed. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Nobody is going to ask again. */
  retire(): void {
    this.#closed = true;
    for (const client of this.clients) client.retire();
  }

  #other(options: ConnectionOptions): Client {
    const connection = checkConnection(options, this.#host);
    const key = connection.engine;
    const clients = this.#others;
    let client = clients.get(key);
    if (client !== undefined) clients.delete(key);
    if (client === undefined || this.#replaceable(client)) client = this.#made(connection);
    clients.set(key, client);
    if (clients.size > MOST) {
      const [oldest, least] = clients.entries().next().value!;
      clients.delete(oldest);
      least.retire();
    }
    return client;
  }

  /** It takes no more, though nobody has closed the set: it was closed by itself, or its queue has failed. */
  #replaceable(client: Client): boolean {
    return client.over && !this.#closed;
  }

  #made(connection: ReturnType<typeof checkConnection>): Client {
    const client = new Client(connection, this.#host);
    client.setRef(this.#ref);
    return client;
  }
}
