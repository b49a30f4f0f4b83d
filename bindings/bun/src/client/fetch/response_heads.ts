/**
 * Heads of responses. Those of a server are much alike, and making Headers of a list costs more than the rest of a small response together: what
 * the last ones were made of is kept. A Response copies what it is given, so one object serves all that are equal.
 */
import { readFields } from "../../native/packed.ts";

/** How many are kept, by their length: a power of two. */
const KEPT = 32;

/** Characters of the longest that is kept. */
const LONGEST = 2048;

/** The fields of a response. Never changed once they are made. */
export class ResponseFields {
  readonly headers: Headers;
  readonly encoding: string | null;
  readonly location: string | null;

  constructor(readonly packed: string) {
    this.headers = new Headers(readFields(packed));
    this.encoding = this.headers.get("content-encoding");
    this.location = this.headers.get("location");
  }
}

const kept: (ResponseFields | undefined)[] = new Array(KEPT).fill(undefined);

/** The fields of a packed list. */
export function fieldsOf(packed: string): ResponseFields {
  const slot = packed.length & (KEPT - 1);
  const last = kept[slot];
  if (last !== undefined && last.packed === packed) return last;
  const fields = new ResponseFields(packed);
  if (packed.length <= LONGEST) kept[slot] = fields;
  return fields;
}
