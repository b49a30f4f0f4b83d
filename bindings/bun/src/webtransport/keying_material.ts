/** What keying material of a session is asked for with. */
import { bytesOf, type BufferSource } from "../common/buffer_source.ts";

/** Bytes that a label or a context may have. */
const LONGEST_NAME = 255;

/** Bytes that can be had at once: what the standard wants at least. */
const MOST = 4096;

/**
 * A label, or a context.
 * @throws TypeError when it is no BufferSource, RangeError when it is too long
 */
export function checkName(what: string, name: BufferSource): Uint8Array {
  const bytes = bytesOf(name);
  if (bytes.length > LONGEST_NAME) throw new RangeError(`a ${what} has at most ${LONGEST_NAME} bytes, not ${bytes.length}`);
  return bytes;
}

/**
 * How much there is to be, as Web IDL takes an unsigned long.
 * @throws RangeError for what cannot be had
 */
export function checkLength(length: unknown): number {
  const bytes = Number(length) >>> 0;
  if (bytes === 0 || bytes > MOST) throw new RangeError(`1 to ${MOST} bytes can be had, not ${String(length)}`);
  return bytes;
}
