/** A Response that is the same for every request: packed once, sent again and again. */
import { blobOfBody, bytesOfBlob, copyOf } from "../common/native_body.ts";
import { peek } from "../common/peek.ts";
import type { RawBuffer } from "../native/memory.ts";
import { listHeaders, writeHeaders, type Listed } from "../native/packed.ts";
import { describeBody, hasBody, RESET_CONTENT } from "./content_type.ts";
import { LARGEST_WHOLE } from "./outgoing_bytes.ts";
import { trailersOf } from "./trailers.ts";

/** All that the library is given of it. */
export interface StaticResponse {
  readonly status: number;
  /** Its headers, packed. */
  readonly head: Uint8Array;
  /** The same for a HEAD, which is not told what only the body tells. */
  readonly bare: Uint8Array;
  readonly body: Uint8Array;
}

/** Room for the headers of one; those that have no room here have none in the library. */
const ROOM = 64 << 10;

/**
 * Packs a response, which stays as it is; undefined when it cannot be sent in one call: with a body that must be waited for or is too
 * large, with trailers, with too many headers.
 */
export function packResponse(response: Response): StaticResponse | undefined {
  if (trailersOf(response) !== undefined) return undefined;
  const bytes = bytesAtHand(response, LARGEST_WHOLE);
  if (bytes === undefined) return undefined;
  const { status } = response;
  const body = status === RESET_CONTENT ? new Uint8Array(0) : bytes;
  const listed = listHeaders(response.headers);
  const bare = pack(listed);
  if (hasBody(status)) describeBody(listed, body);
  const head = pack(listed);
  return bare === undefined || head === undefined ? undefined : { status, head, bare, body };
}

/** A body that is no stream, which stays as it is, as a Blob; undefined when it must be waited for. */
export function blobAtHand(response: Response): Blob | undefined {
  return now(blobOfBody(copyOf(response)));
}

/** Its bytes; undefined when they must be waited for, or are more than `most`. */
export function bytesAtHand(response: Response, most: number): Uint8Array | undefined {
  const blob = blobAtHand(response);
  return blob === undefined || blob.size > most ? undefined : now(bytesOfBlob(blob));
}

/** What a promise has; undefined when it must be waited for: then the body is read again for each request, and says what is wrong with it. */
function now<T>(promise: Promise<T>): T | undefined {
  const value = peek(promise);
  if (!(value instanceof Promise)) return value;
  value.catch(() => {});
  return undefined;
}

function pack(listed: Listed): Uint8Array | undefined {
  const into = Buffer.alloc(ROOM) as unknown as RawBuffer;
  const end = writeHeaders(into, listed);
  return end < 0 ? undefined : new Uint8Array(into.subarray(0, end));
}
