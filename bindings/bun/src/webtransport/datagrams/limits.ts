/** What the ages and buffer limits of a session's datagrams may be set to. */

/**
 * An age in ms: null for no limit, which 0 stands for, too.
 * @throws RangeError for a negative number and NaN
 */
export function checkAge(name: string, value: unknown): number | null {
  if (value === null || value === undefined) return null;
  const age = Number(value);
  if (Number.isNaN(age) || age < 0) throw new RangeError(`${name} must be null or a number from 0, not ${String(value)}`);
  return age === 0 ? null : age;
}

/** How many datagrams may wait, as Web IDL takes an unsigned long: whole, modulo 2^32. 0 counts as one. */
export function limitOf(value: unknown): number {
  return Math.max(1, Number(value) >>> 0);
}

/**
 * The same for the older names, which take any number: less than one counts as one.
 * @throws RangeError for a negative number and NaN
 */
export function checkLimit(name: string, value: unknown): number {
  const limit = Number(value);
  if (Number.isNaN(limit) || limit < 0) throw new RangeError(`${name} must be a number from 0, not ${String(value)}`);
  return limit < 1 ? 1 : limit;
}
