/** Promises that are settled, without waiting for them. */

/** The value of a promise that is settled: Bun reads what is in memory at once. */
export function peek<T>(promise: Promise<T>): T | Promise<T> {
  return Bun.peek.status(promise) === "fulfilled" ? (Bun.peek(promise) as T) : promise;
}
