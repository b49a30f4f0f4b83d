/** A session's counters. */
import { CString, type Pointer } from "bun:ffi";
import { library } from "../library.ts";
import { scratch } from "../memory.ts";

/** More counters than there are or soon will be. */
const MOST = 64;

let names: string[] | undefined;

/** The counters of a session by the names that the library gives them; undefined once it has ended. */
export function readSessionStats(session: number): Record<string, number> | undefined {
  const native = library();
  const memory = scratch();
  names ??= readNames();
  const count = native.zig_h3_wt_stats_snapshot(session, memory.results, MOST);
  if (count < 0) return undefined;
  const stats: Record<string, number> = {};
  for (let i = 0; i < count && i < names.length; i++) stats[names[i]!] = memory.u64(i * 8);
  return stats;
}

function readNames(): string[] {
  const list: string[] = [];
  for (let i = 0; i < MOST; i++) {
    const name = library().zig_h3_wt_stats_name(i);
    if (!name) break;
    list.push(new CString(name as Pointer).toString());
  }
  return list;
}
