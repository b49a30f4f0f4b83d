/** Checks of what options are given. Each names the option in its error: a TypeError, or a RangeError for a number out of bounds. */
import { brief } from "./failure.ts";

/** A function, or nothing. */
export function callable<F>(name: string, value: unknown): F | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "function") throw new TypeError(`${name} must be a function`);
  return value as F;
}

/** A string; `empty`: it may be empty. */
export function text(name: string, value: unknown, empty: boolean): string {
  if (typeof value !== "string") throw new TypeError(`${name} must be a string, not ${brief(value)}`);
  if (value === "" && !empty) throw new TypeError(`${name} must not be empty`);
  if (value.includes("\0")) throw new TypeError(`${name} must not hold a NUL`);
  return value;
}

/** True or false; nothing stands for `fallback`. */
export function boolean(name: string, value: unknown, fallback: boolean): boolean {
  if (value === undefined) return fallback;
  // Bun.serve()'s development may be an object of settings of its bundler: any of them means yes.
  if (name === "development" && typeof value === "object" && value !== null) return true;
  if (typeof value !== "boolean") throw new TypeError(`${name} must be true or false, not ${brief(value)}`);
  return value;
}

/** A whole number within bounds. */
export function whole(name: string, value: unknown, min: number, max: number): number {
  if (typeof value !== "number") throw new TypeError(`${name} must be a number from ${min} to ${max}, not ${brief(value)}`);
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new RangeError(`${name} must be a whole number from ${min} to ${max}, not ${value}`);
  }
  return value;
}

/** A time within bounds. */
export function time(name: string, value: unknown, unit: "seconds" | "ms", min: number, max: number): number {
  if (typeof value !== "number") throw new TypeError(`${name} must be a number of ${unit} from ${min} to ${max}, not ${brief(value)}`);
  if (!(value >= min && value <= max)) throw new RangeError(`${name} must be ${min} to ${max} ${unit}, not ${value}`);
  return value;
}

/** A time in whole milliseconds, within bounds. */
export function milliseconds(name: string, value: unknown, min: number, max: number): number {
  return Math.ceil(time(name, value, "ms", min, max));
}

/**
 * Finds keys that are none. What is known from Bun.serve() and refused may stand there undefined, as it does in options that were put
 * together for both.
 */
export function checkKeys(prefix: string, given: object, known: ReadonlySet<string>, refused: Readonly<Record<string, string>> = {}): void {
  for (const [key, value] of Object.entries(given)) {
    if (known.has(key)) continue;
    const why = Object.hasOwn(refused, key) ? refused[key] : undefined;
    if (why === undefined) throw new TypeError(`unknown option "${prefix}${key}" (known: ${[...known].join(", ")})`);
    if (value !== undefined) throw new TypeError(`option "${prefix}${key}": ${why}`);
  }
}

/** An option that is an object of known keys; an empty one when it is not given. */
export function group(
  name: string,
  value: unknown,
  keys: ReadonlySet<string>,
  refused?: Readonly<Record<string, string>>,
): Record<string, unknown> {
  if (value === undefined) return {};
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new TypeError(`${name} must be an object, not ${brief(value)}`);
  }
  checkKeys(`${name}.`, value, keys, refused);
  return value as Record<string, unknown>;
}
