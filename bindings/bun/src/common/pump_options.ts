/** The options that say how events reach a thread. */
import { brief } from "./failure.ts";
import { checkKeys, group, whole } from "./option_checks.ts";

/** Milliseconds between looks (option `pump`); 0: sleep until there is something. */
export function pumpInterval(value: unknown): number {
  if (value === undefined) return 0;
  if (typeof value !== "object" || value === null) throw new TypeError(`pump must be an object, not ${brief(value)}`);
  checkKeys("pump.", value, new Set(["intervalMs"]));
  return whole("pump.intervalMs", (value as { intervalMs?: unknown }).intervalMs, 1, 1000);
}

/** Bytes of a queue (option `queue`); 0: the library's own default. */
export function queueCapacity(value: unknown): number {
  const { capacity } = group("queue", value, new Set(["capacity"]));
  if (capacity === undefined) return 0;
  const bytes = whole("queue.capacity", capacity, 512 << 10, 256 << 20);
  if ((bytes & (bytes - 1)) !== 0) throw new RangeError(`queue.capacity must be a power of two, not ${bytes}`);
  return bytes;
}
