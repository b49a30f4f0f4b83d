/** How many streams a session expects of its peer. */

/**
 * A number of streams, as Web IDL takes an `[EnforceRange] unsigned short` that may be null.
 * @throws TypeError when it is none
 */
export function checkAnticipated(kind: "Unidirectional" | "Bidirectional", value: unknown): number | null {
  if (value === null || value === undefined) return null;
  const number = Math.trunc(Number(value));
  if (!(number >= 0 && number <= 0xffff)) {
    throw new TypeError(`anticipatedConcurrentIncoming${kind}Streams must be null or a number from 0 to 65535, not ${String(value)}`);
  }
  return number + 0; // no negative zero
}
