/** A server's counters. */
import { CString, type Pointer } from "bun:ffi";
import { check, library } from "./library.ts";
import { scratch } from "./memory.ts";

/** More counters than there are or soon will be. */
const MOST = 256;

let names: string[] | undefined;

/** The counters of a server by their names. */
export function readStats(server: number): Record<string, number> {
  const native = library();
  const memory = scratch();
  names ??= readNames();
  const count = check(native.zig_h3_stats_snapshot(server, memory.results, MOST));
  const stats: Record<string, number> = {};
  for (let i = 0; i < count && i < names.length; i++) stats[names[i]!] = memory.u64(i * 8);
  return stats;
}

function readNames(): string[] {
  const list: string[] = [];
  for (let i = 0; i < MOST; i++) {
    const name = library().zig_h3_stats_name(i);
    if (!name) break;
    list.push(new CString(name as Pointer).toString());
  }
  return list;
}
