/**
 * The content-type of bodies that came without one.
 *
 * Bun.serve() says text/plain of a string and application/octet-stream of bytes. It can look into the Response for that; here the
 * bytes themselves must tell. The two agree but for bytes that are text, which here are called text.
 */
import { isUtf8 } from "node:buffer";

const TEXT = "text/plain;charset=utf-8";
const BYTES = "application/octet-stream";

/** How far to look for bytes that no text has. */
const LOOK = 512;

/** What to call a body of these bytes, or of these and more when they are `cut` off somewhere. */
export function guessContentType(bytes: Uint8Array, cut = false): string {
  const end = Math.min(bytes.length, LOOK);
  for (let i = 0; i < end; i++) {
    const byte = bytes[i]!;
    // Of the control characters, text has tab to carriage return and escape.
    if (byte < 0x20 && (byte < 0x09 || byte > 0x0d) && byte !== 0x1b) return BYTES;
  }
  return isUtf8(cut ? withoutLast(bytes) : bytes) ? TEXT : BYTES;
}

/** UTF-8 without its last character, unless that is a single byte: it may be half of one. */
function withoutLast(bytes: Uint8Array): Uint8Array {
  let end = bytes.length;
  while (end > 0 && (bytes[end - 1]! & 0xc0) === 0x80) end--;
  if (end > 0 && bytes[end - 1]! >= 0xc0) end--;
  return bytes.subarray(0, end);
}
