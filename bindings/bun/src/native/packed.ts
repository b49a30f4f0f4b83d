/**
 * The packed header list of the C contract: u16 name length, u32 value length, name, value, again and again, little-endian and
 * without padding.
 *
 * Reading works on the list as latin1 text: one native call makes that, names and values are substrings of it, and the lengths are
 * its character codes. Field values are bytes to the fetch standard, and latin1 is how it shows them.
 */
import type { RawBuffer } from "./memory.ts";

/** The field that stands at `at`: where its name, its value and the next field begin. */
function nameLength(text: string, at: number): number {
  return text.charCodeAt(at) | (text.charCodeAt(at + 1) << 8);
}

function valueLength(text: string, at: number): number {
  return (
    (text.charCodeAt(at + 2) |
      (text.charCodeAt(at + 3) << 8) |
      (text.charCodeAt(at + 4) << 16) |
      (text.charCodeAt(at + 5) << 24)) >>>
    0
  );
}

/** Bytes in front of each name. */
export const FIELD_HEAD = 6;

/**
 * The fields of a packed list, from `at` on.
 * @throws RangeError when the list ends inside a field
 */
export function readFields(text: string, at = 0): [name: string, value: string][] {
  const fields: [string, string][] = [];
  while (at < text.length) {
    const value = at + FIELD_HEAD + nameLength(text, at);
    const next = value + valueLength(text, at);
    if (!(next <= text.length)) throw new RangeError(`the packed list ends inside the field at ${at}`);
    fields.push([text.substring(at + FIELD_HEAD, value), text.substring(value, next)]);
    at = next;
  }
  return fields;
}

/**
 * Appends a field to the list in `buffer` at `at`. Returns where the next one goes, or -1 when it does not fit.
 * Characters must be below 256, as those of Headers are.
 */
export function writeField(buffer: RawBuffer, at: number, name: string, value: string): number {
  const nameEnd = at + FIELD_HEAD + name.length;
  const end = nameEnd + value.length;
  if (end > buffer.length || name.length > 0xffff) return -1;
  const length = value.length;
  buffer[at] = name.length;
  buffer[at + 1] = name.length >>> 8;
  buffer[at + 2] = length;
  buffer[at + 3] = length >>> 8;
  buffer[at + 4] = length >>> 16;
  buffer[at + 5] = length >>> 24;
  buffer.latin1Write(name, at + FIELD_HEAD, name.length);
  buffer.latin1Write(value, nameEnd, length);
  return end;
}

const { hasOwn } = Object;

/** Headers as Bun gives them in one native call: names in lower case, set-cookie as a list. */
export type Listed = Record<string, string | string[]>;

/** The native one, whatever a handler puts over it. */
const { toJSON } = Headers.prototype as unknown as { toJSON(): Listed };

/** All of `headers`. */
export function listHeaders(headers: Headers): Listed {
  return toJSON.call(headers);
}

/** Writes headers to `buffer` from `at` on. Returns the end of the list, or -1 when it does not fit. */
export function writeHeaders(buffer: RawBuffer, listed: Listed, at = 0): number {
  for (const name in listed) {
    if (!hasOwn(listed, name)) continue; // somebody has put it onto Object.prototype
    const value = listed[name]!;
    if (typeof value === "string") {
      at = writeField(buffer, at, name, value);
      if (at < 0) return -1;
    } else {
      for (const one of value) {
        at = writeField(buffer, at, name, one);
        if (at < 0) return -1;
      }
    }
  }
  return at;
}
