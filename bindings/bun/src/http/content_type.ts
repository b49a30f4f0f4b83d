/**
 * The content-type of bodies that came without one.
 *
 * Bun.serve() says text/plain of a string and application/octet-stream of bytes. It can look into the Response for that; here the
 * bytes themselves must tell. The two agree but for bytes that are text, which here are called text.
 */
import { isUtf8 } from "node:buffer";
import type { Listed } from "../native/packed.ts";

const TEXT = "text/plain;charset=utf-8";
const BYTES = "application/octet-stream";

/** How far to look for bytes that no text has. */
const LOOK = 512;

/** What to call a body of these bytes, or of these and more when they are `cut` off somewhere. */
export function guessContentType(bytes: Uint8Array, cut = false): string {
  const { length } = bytes;
  const end = Math.min(length, LOOK);
  let any = 0;
  for (let i = 0; i < end; i++) {
    const byte = bytes[i]!;
    // Of the control characters, text has tab to carriage return and escape.
    if (byte < 0x20 && (byte < 0x09 || byte > 0x0d) && byte !== 0x1b) return BYTES;
    any |= byte;
  }
  if (any < 0x80 && end === length) return TEXT;
  return isUtf8(cut ? withoutLast(bytes) : bytes) ? TEXT : BYTES;
}

/** UTF-8 without its last character, unless that is a single byte: it may be half of one. */
function withoutLast(bytes: Uint8Array): Uint8Array {
  let end = bytes.length;
  while (end > 0 && (bytes[end - 1]! & 0xc0) === 0x80) end--;
  if (end > 0 && bytes[end - 1]! >= 0xc0) end--;
  return bytes.subarray(0, end);
}

/** A status whose responses must not have content (RFC 9110, 15.3.6), unlike 204 and 304 by rule and not by framing. */
export const RESET_CONTENT = 205;

/** Whether responses of a status have a body that their client gets. */
export function hasBody(status: number): boolean {
  return status !== 204 && status !== 304;
}

/**
 * Makes headers say of a body, which the client gets, what it is. Its length the library says: as in Bun.serve(), a handler cannot get
 * it wrong.
 */
export function describeBody(listed: Listed, bytes: Uint8Array | null): void {
  if (listed["content-length"] !== undefined) delete listed["content-length"];
  if (bytes !== null && bytes.length > 0 && listed["content-type"] === undefined) listed["content-type"] = guessContentType(bytes);
}
