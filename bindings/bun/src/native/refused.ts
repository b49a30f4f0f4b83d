/**
 * Calls of the library that found no room (WOULD_BLOCK). A WRITABLE event of the object that they were made for says when they can be made
 * again, or its end comes instead: no timer is needed.
 */
import { ERROR, REFUSAL } from "./layout.ts";
import { library } from "./library.ts";

/** What is to be done then, by the object. */
const waiting = new Map<number, (() => void)[]>();

/** Does `again` when calls of the object can be made again, or it has ended: then they say so. */
export function whenWritable(object: number, again: () => void): void {
  const others = waiting.get(object);
  if (others === undefined) waiting.set(object, [again]);
  else others.push(again);
}

/**
 * Makes a call until the library takes it, at once in all likelihood.
 * @param object what it is made for
 * @param call gives a result code
 * @param done gets the code that is not WOULD_BLOCK
 */
export function untilTaken(object: number, call: () => number, done: (code: number) => void = () => {}): void {
  const code = call();
  if (code === ERROR.WOULD_BLOCK) whenWritable(object, () => untilTaken(object, call, done));
  else done(code);
}

/** WRITABLE of an object, or its end: makes the calls again that were refused, in their order. What one of them throws keeps none back. */
export function resume(object: number): void {
  const calls = waiting.get(object);
  if (calls === undefined) return;
  waiting.delete(object);
  let failed: { error: unknown } | undefined;
  for (const again of calls) {
    try {
      again();
    } catch (error) {
      failed ??= { error };
    }
  }
  if (failed !== undefined) throw failed.error;
}

/** Whether it was the way to the engine that had no room for the call that was refused just now, and not what waits for the network. */
export function ringWasFull(): boolean {
  return library().zig_h3_last_refusal() === REFUSAL.RING;
}
