/** Promises of any make: handlers and hooks may give those of another library. */

/** Whether something is a promise of any make. Throws what looking at it throws. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  if (value === null || (typeof value !== "object" && typeof value !== "function")) return false;
  return typeof (value as { then?: unknown }).then === "function";
}

/** Sees to it that somebody takes what a promise rejects with, where something is one. Throws what looking at it throws. */
export function watch(value: unknown, take: (error: unknown) => void): void {
  if (isThenable(value)) Promise.resolve(value).then(undefined, take);
}
