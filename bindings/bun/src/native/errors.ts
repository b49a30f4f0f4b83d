/** What the native library reports, as an error. */
import { ERROR } from "./layout.ts";

const names = new Map<number, string>();
for (const name of Object.keys(ERROR) as (keyof typeof ERROR)[]) names.set(ERROR[name], `ZIG_H3_ERR_${name}`);

/** The name of a result code, as `"ZIG_H3_ERR_BUSY"`; `"ZIG_H3_ERR_UNKNOWN"` for a number that is none. */
export function errorName(code: number): string {
  return code === 0 ? "ZIG_H3_OK" : (names.get(code) ?? "ZIG_H3_ERR_UNKNOWN");
}

/** What Bun and Node call the failures of the system that have a result code of their own. */
const OF_THE_SYSTEM: Readonly<Record<number, string>> = {
  [ERROR.ADDRESS_IN_USE]: "EADDRINUSE",
  [ERROR.ADDRESS_UNAVAILABLE]: "EADDRNOTAVAIL",
  [ERROR.PERMISSION]: "EACCES",
  [ERROR.RESOLVE]: "ENOTFOUND",
};

/** A failure that the native library reported. */
export class H3Error extends Error {
  /**
   * What has failed, in a word: `"EADDRINUSE"`, `"EADDRNOTAVAIL"`, `"EACCES"` and `"ENOTFOUND"` as in Bun and Node, else the name of the result
   * code, as `"ZIG_H3_ERR_BUSY"`.
   */
  readonly code: string;

  /** The result code of the C call: a number of include/zig_h3.h, always negative. It is not the system's errno. */
  readonly errno: number;

  /** Always `"H3Error"`. */
  override readonly name = "H3Error";

  /**
   * @param errno the result code
   * @param text what happened, in words; without it the name of the code stands for it
   */
  constructor(errno: number, text?: string) {
    super(text === undefined || text === "" ? errorName(errno) : text);
    this.errno = errno;
    this.code = OF_THE_SYSTEM[errno] ?? errorName(errno);
  }
}
