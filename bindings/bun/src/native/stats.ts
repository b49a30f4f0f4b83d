/** Counters of servers, of clients and of sessions: numbers from one call of the library, their names from another. */
import { CString, type Pointer } from "bun:ffi";
import { HIGH } from "./layout.ts";
import { lastError, library } from "./library.ts";
import { scratch } from "./memory.ts";

/** More counters than there are or soon will be. */
const MOST = 256;

type Snapshot = "zig_h3_stats_snapshot" | "zig_h3_client_stats_snapshot" | "zig_h3_wt_stats_snapshot";
type Name = "zig_h3_stats_name" | "zig_h3_client_stats_name" | "zig_h3_wt_stats_name";

/** The counters of one kind of object. */
class Counters {
  #snapshot: Snapshot;
  #name: Name;
  #names: string[] | undefined;

  constructor(snapshot: Snapshot, name: Name) {
    this.#snapshot = snapshot;
    this.#name = name;
  }

  /** Those of an object, by name; a negative code when there is no such object. */
  read(handle: number): Record<string, number> | number {
    this.#names ??= this.#readNames();
    const memory = scratch();
    const count = library()[this.#snapshot](handle, memory.results, MOST);
    if (count < 0) return count;
    return this.named(count, (i) => memory.u64(i * 8));
  }

  /** So many counters, by name. */
  named(count: number, value: (i: number) => number): Record<string, number> {
    const names = (this.#names ??= this.#readNames());
    const counters: Record<string, number> = {};
    for (let i = 0; i < count && i < names.length; i++) counters[names[i]!] = value(i);
    return counters;
  }

  #readNames(): string[] {
    const names: string[] = [];
    for (let i = 0; i < MOST; i++) {
      const name = library()[this.#name](i);
      if (!name) break;
      names.push(new CString(name as Pointer).toString());
    }
    return names;
  }
}

const ofServers = new Counters("zig_h3_stats_snapshot", "zig_h3_stats_name");
const ofClients = new Counters("zig_h3_client_stats_snapshot", "zig_h3_client_stats_name");
const ofSessions = new Counters("zig_h3_wt_stats_snapshot", "zig_h3_wt_stats_name");

/**
 * The counters of a server.
 * @throws H3Error when it is none
 */
export function serverStats(server: number): Record<string, number> {
  const counters = ofServers.read(server);
  if (typeof counters === "number") throw lastError(counters);
  return counters;
}

/**
 * The counters of a client.
 * @throws H3Error when it is none
 */
export function clientStats(client: number): Record<string, number> {
  const counters = ofClients.read(client);
  if (typeof counters === "number") throw lastError(counters);
  return counters;
}

/** The counters of a session; undefined once it has ended. */
export function sessionStats(session: number): Record<string, number> | undefined {
  const counters = ofSessions.read(session);
  return typeof counters === "number" ? undefined : counters;
}

/** Those that a session's last event has. */
export function sessionStatsOf(words: Uint32Array): Record<string, number> {
  return ofSessions.named(words.length >>> 1, (i) => words[2 * i]! + words[2 * i + 1]! * HIGH);
}
