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

/** What to call a body of these bytes. */
export function guessContentType(bytes: Uint8Array): string {
  const end = Math.min(bytes.length, LOOK);
  for (let i = 0; i < end; i++) {
    const byte = bytes[i]!;
    // Of the control characters, text has tab to carriage return and escape.
    if (byte < 0x20 && (byte < 0x09 || byte > 0x0d) && byte !== 0x1b) return BYTES;
  }
  return isUtf8(bytes) ? TEXT : BYTES;
}
