/** What the native library reports, as an error. */
import { ERROR } from "./layout.ts";

const names = new Map<number, string>();
for (const name of Object.keys(ERROR) as (keyof typeof ERROR)[]) names.set(ERROR[name], `ZIG_H3_ERR_${name}`);

/** The name of a result code, as `"ZIG_H3_ERR_BUSY"`; `"ZIG_H3_ERR_UNKNOWN"` for a number that is none. */
export function errorName(code: number): string {
  return code === 0 ? "ZIG_H3_OK" : (names.get(code) ?? "ZIG_H3_ERR_UNKNOWN");
}

/**
 * A failure that the native library reported. What Bun.serve() throws for a busy port and the like comes as this, with EADDRINUSE in
 * its message.
 */
export class H3Error extends Error {
  /** The result code of the C call: one of `ERROR`, always negative. */
  readonly code: number;

  /** The name of the code, as `"ZIG_H3_ERR_ADDRESS_IN_USE"`. */
  override readonly name: string;

  /**
   * @param code the result code
   * @param text what happened, in words; without it the name of the code stands for it
   */
  constructor(code: number, text?: string) {
    const name = errorName(code);
    super(text === undefined || text === "" ? name : text);
    this.code = code;
    this.name = name;
  }
}
