/** Clients that nobody has made: one of a thread for each set of options that somebody asks with. */
import { Client } from "./client.ts";
import { checkConnection, checkHost } from "./options.ts";
import type { ConnectionOptions } from "./types.ts";

/** How many are kept. Beyond it the one that was asked longest ago goes, once nobody waits for it. */
const MOST = 32;

/** By their options. The one that was asked last is the last. */
const clients = new Map<string, Client>();

/**
 * The client of this thread for connections as these, the same for equal options. It keeps no process that has nothing else to do.
 * @throws TypeError or RangeError that names a wrong option
 * @throws H3Error when the engine does not take an option, or a file of theirs
 */
export function sharedClient(options: ConnectionOptions = {}): Client {
  const connection = checkConnection(options);
  const key = connection.engine;
  let client = clients.get(key);
  if (client !== undefined) clients.delete(key);
  if (client === undefined || client.over) client = new Client(connection, checkHost({}));
  clients.set(key, client);
  if (clients.size > MOST) {
    const [oldest, least] = clients.entries().next().value!;
    clients.delete(oldest);
    least.retire();
  }
  return client;
}
