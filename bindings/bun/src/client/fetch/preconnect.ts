/** Connections that are made before something is asked for. */
import { lastError, library } from "../../native/library.ts";
import { scratch } from "../../native/memory.ts";
import { untilTaken } from "../../native/refused.ts";
import type { FetchEnd } from "../../queue/fetch_events.ts";
import type { Client } from "../client.ts";
import { endedEarly, fetchFailed } from "./failure.ts";

/**
 * Sees to it that a client has a connection to a URL's origin. Resolves when it is there. Rejects as a fetch does; nobody has to take that: who only
 * hopes that the next fetch will be quick learns it from that.
 */
export function preconnect(client: Client, url: URL): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  promise.catch(() => {});
  if (client.over) {
    reject(fetchFailed(client.overError()));
    return promise;
  }
  const text = Buffer.from(url.href, "latin1"); // ASCII: it has been through URL
  client.hold();
  const done = (end: FetchEnd): void => {
    client.ended();
    client.letGo();
    if (end.code === 0) resolve();
    else reject(endedEarly(end, url.href));
  };
  untilTaken(
    client.handle,
    () => library().zig_h3_client_connect(client.handle, text, text.length, 0, scratch().results),
    (code) => {
      if (code === 0) {
        client.opened();
        client.dispatcher.fetches.connecting.set(scratch().u64(0), done);
        return;
      }
      client.letGo();
      reject(fetchFailed(client.over ? client.overError() : lastError(code)));
    },
  );
  return promise;
}
