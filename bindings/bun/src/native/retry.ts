/** Calls of the library that find its ring full. */
import { ERROR } from "./layout.ts";
import { library } from "./library.ts";

/** How long to wait when the way to the engine is full, in ms. */
export const RETRY = 1;

/**
 * Makes a call until the library takes it, at once in all likelihood.
 * @param call gives a result code
 * @param done gets the code that is not WOULD_BLOCK
 */
export function untilTaken(call: () => number, done: (code: number) => void = () => {}): void {
  const code = call();
  if (code !== ERROR.WOULD_BLOCK) return done(code);
  library().zig_h3_flush();
  setTimeout(() => untilTaken(call, done), RETRY);
}
