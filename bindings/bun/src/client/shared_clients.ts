/** Clients that nobody has made: those of a thread. They keep no process that has nothing else to do. */
import type { Client } from "./client.ts";
import { ClientSet } from "./client_set.ts";
import { checkHost } from "./options.ts";
import type { ConnectionOptions } from "./types.ts";

let shared: ClientSet | undefined;

/** Those of this thread. */
export function sharedClients(): ClientSet {
  return (shared ??= new ClientSet({}, checkHost({})));
}

/**
 * The client of this thread for connections as these, the same for equal options.
 * @throws as ClientSet.get()
 */
export function sharedClient(options: ConnectionOptions = {}): Client {
  return sharedClients().get(options);
}
