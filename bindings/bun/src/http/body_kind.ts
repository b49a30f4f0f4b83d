/**
 * What a Response's body is made of.
 *
 * The web API shows every body as a stream, and reading a stream to learn that it was a string all along costs more than the rest
 * of a small response together, and loses its length. Bun tells the kinds apart in two other ways: the memory that a Response is
 * charged with, which counts bytes that are in memory and no streams (13 ns), and what console.log shows of it (1.4 us, for all that
 * the first leaves open). Neither is a promise, so both are tried out when this module is loaded: where they stopped telling the
 * truth, every body is taken for a stream, which is always right and only slower.
 */
import { estimateShallowMemoryUsageOf } from "bun:jsc";

/** Kinds of bodies. */
export const BODY = { NONE: 0, BYTES: 1, BLOB: 2, STREAM: 3 } as const;

/** One of `BODY`. */
type BodyKind = (typeof BODY)[keyof typeof BODY];

const nothing = estimateShallowMemoryUsageOf(new Response(null));
const measures =
  estimateShallowMemoryUsageOf(new Response(new ReadableStream())) === nothing &&
  estimateShallowMemoryUsageOf(new Response("x".repeat(77))) === nothing + 77 &&
  estimateShallowMemoryUsageOf(new Response(new Uint8Array(77))) === nothing + 77;
const shows =
  shown(new Response(new ReadableStream())) === "ReadableStream" &&
  shown(new Response(new Blob(["x"]))) === "Blob" &&
  shown(new Response(Bun.file("/"))) === "FileRef" &&
  shown(new Response(null)) === "";

/** Says what the body of a response is made of, without touching it. */
export function bodyKind(response: Response): BodyKind {
  // A response of fetch(), one with properties of its own and one with a reason phrase are charged for those too.
  if (
    measures &&
    estimateShallowMemoryUsageOf(response) > nothing &&
    response.url === "" &&
    response.statusText === "" &&
    Object.getOwnPropertyNames(response).length === 0
  ) {
    return BODY.BYTES;
  }
  if (shows) {
    // Nothing is also shown of the body of fetch()'s responses as long as it is on its way.
    switch (shown(response)) {
      case "Blob":
      case "File":
      case "FileRef":
        return BODY.BLOB;
    }
  }
  return response.body === null ? BODY.NONE : BODY.STREAM;
}

/** The word with which console.log begins a response's body; empty when it shows none, as one does that fails in an inspect() of its own. */
function shown(response: Response): string {
  let text: string;
  try {
    text = Bun.inspect(response);
  } catch {
    return "";
  }
  const from = text.lastIndexOf("\n  bodyUsed: ");
  return /^\n {2}bodyUsed: (?:true|false),\n {2}(\w+)/.exec(text.slice(from))?.[1] ?? "";
}
