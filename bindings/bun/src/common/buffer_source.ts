/** What the web calls a BufferSource: an ArrayBuffer or a view of one. */
import { brief } from "./failure.ts";

/** Bytes as they are passed in. */
export type BufferSource = ArrayBufferView | ArrayBuffer | SharedArrayBuffer;

/**
 * The bytes of a BufferSource, not copied.
 * @param must what the error says of anything else
 * @throws TypeError for anything else
 */
export function bytesOf(source: unknown, must = "bytes must be an ArrayBuffer or a view of one"): Uint8Array {
  if (source instanceof Uint8Array) return source;
  if (ArrayBuffer.isView(source)) return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
  if (source instanceof ArrayBuffer || source instanceof SharedArrayBuffer) return new Uint8Array(source);
  throw new TypeError(`${must}, not ${brief(source)}`);
}
