/** Options of connections as they were given once, to know them again. */
import { CONNECTION_KEYS } from "./options.ts";
import type { ConnectionOptions } from "./types.ts";

type Group = Readonly<Record<string, unknown>>;

/**
 * What somebody has asked with, copied: who opens many sessions, or fetches with options of connections, gives the same with each, often in the
 * very same objects, and may change those meanwhile.
 */
export class AskedOptions {
  #values: readonly unknown[];

  private constructor(values: readonly unknown[]) {
    this.#values = values;
  }

  /** undefined: there is something among them that cannot be told from its like without looking into it. */
  static of(given: ConnectionOptions): AskedOptions | undefined {
    const values = CONNECTION_KEYS.map((key) => copied(given[key]));
    return values.includes(UNCLEAR) ? undefined : new AskedOptions(values);
  }

  /** Whether these are given again. */
  equal(given: ConnectionOptions): boolean {
    for (let i = 0; i < CONNECTION_KEYS.length; i++) {
      const value: unknown = given[CONNECTION_KEYS[i]!] ?? undefined;
      const before = this.#values[i];
      if (value !== before && !(typeof before === "object" && isPlain(value) && alike(before as Group, value))) return false;
    }
    return true;
  }
}

/** Stands for what is not copied. */
const UNCLEAR = Symbol("unclear");

/** A copy of a group of plain values, or a plain value itself. */
function copied(value: unknown): unknown {
  if (value === undefined || value === null) return undefined;
  if (!isObject(value)) return value;
  return isPlain(value) && !Object.values(value).some(isObject) ? { ...value } : UNCLEAR;
}

function isObject(value: unknown): value is object {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

/** An object whose properties are all its own. */
function isPlain(value: unknown): value is Group {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

/** Whether two groups have the same properties with the same values. */
function alike(before: Group, given: Group): boolean {
  let left = 0;
  for (const name in before) {
    // One that is given as undefined is there, too: it must not stand for another in the count.
    if (before[name] !== given[name] || !Object.hasOwn(given, name)) return false;
    left++;
  }
  for (const _ in given) left--;
  return left === 0;
}
