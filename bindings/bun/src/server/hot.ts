/**
 * Under `bun --hot` a program is run again in the same process, this package with it, while the servers of the last run go on. As with
 * Bun.serve(), the server that it then makes is the one that runs already, with the new handlers.
 */
import type { H3Server, H3ServerOptions } from "./api/types.ts";
import { checkOptions } from "./options/options.ts";

const HOT = process.execArgv.includes("--hot");

/** What outlives a run: the servers, by what they were asked for with. Those that run are kept alive by that. */
const KEPT = Symbol.for("zig-h3.hot");
const global = globalThis as { [KEPT]?: Map<string, WeakRef<H3Server>> };

/** How often this run has asked for the same: several servers may want any free port. */
const asked = new Map<string, number>();

/**
 * The server of the last run with the same id, hostname and port, reloaded; else what `make` makes.
 * @throws TypeError or RangeError that names a wrong option; then the server runs on as it was
 */
export function keptOrMade(options: H3ServerOptions, make: () => H3Server): H3Server {
  if (!HOT) return make();
  const { id, hostname, port, interval, capacity } = checkOptions(options);
  const what = JSON.stringify([id, hostname, port, interval, capacity]);
  const count = asked.get(what) ?? 0;
  asked.set(what, count + 1);
  const key = `${what} ${count}`;
  const servers = (global[KEPT] ??= new Map());
  const kept = servers.get(key)?.deref();
  if (kept?.running) {
    const { routes, fetch, error, onLog } = options;
    return kept.reload({ routes, fetch, error, onLog } as H3ServerOptions);
  }
  const server = make();
  servers.set(key, new WeakRef(server));
  return server;
}
