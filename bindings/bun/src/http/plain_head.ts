/**
 * The packed header list of a response that has a content-type at most, as most have. What such a list is made of is kept, and whether
 * one is that plain costs less to ask than all of the headers do.
 */
import { writeField } from "../native/packed.ts";
import type { RawBuffer } from "../native/memory.ts";
import { guessContentType } from "./content_type.ts";

/** How many lists are kept. */
const KEPT = 64;

/** The native ones, whatever a handler puts over them. Bun alone counts its headers. */
const { get } = Headers.prototype;
const count = Object.getOwnPropertyDescriptor(Headers.prototype, "count")?.get as ((this: Headers) => number) | undefined;

/** Whether that count is of all fields: tried out when this module is loaded. */
const counts = ((): boolean => {
  try {
    const all: [string, string][] = [["a", "1"], ["a", "2"], ["content-type", "t"], ["set-cookie", "a=1"], ["set-cookie", "b=2"]];
    const said = [0, 1, 3, 4, 5].map((fields) => count!.call(new Headers(all.slice(0, fields))));
    return said[0] === 0 && said[1] === 1 && said.slice(2).every((fields) => fields > 1) && count!.call(new Response("x").headers) === 0;
  } catch {
    return false;
  }
})();

const NOTHING = new Uint8Array(0);
const lists = new Map<string, Uint8Array>();
let lastType = "";
let lastList: Uint8Array = NOTHING;

/**
 * The list of a response with this body, which its client gets; undefined: it has more than that.
 * @param headers those that it was given
 */
export function plainHead(headers: Headers, bytes: Uint8Array | null): Uint8Array | undefined {
  if (!counts) return undefined;
  const fields = count!.call(headers);
  if (fields > 1) return undefined;
  let type: string | null;
  if (fields === 1) {
    type = get.call(headers, "content-type");
    if (type === null) return undefined;
  } else {
    if (bytes === null || bytes.length === 0) return NOTHING;
    type = guessContentType(bytes);
  }
  if (type === lastType) return lastList;
  let list = lists.get(type);
  if (list === undefined) {
    list = packed(type);
    if (lists.size < KEPT) lists.set(type, list);
  }
  lastType = type;
  lastList = list;
  return list;
}

function packed(type: string): Uint8Array {
  const list = Buffer.alloc(6 + "content-type".length + type.length) as unknown as RawBuffer;
  writeField(list, 0, "content-type", type);
  return list;
}
