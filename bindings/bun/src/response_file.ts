/** Sends a file, or the part of it that a slice of a `Bun.file()` stands for. */
import { fail, park, type Call } from "./answer.ts";
import { H3Request } from "./request.ts";
import { respondWith, stream, trailersOf, withTrailers } from "./response.ts";

/** Files up to this are read whole: one call instead of many. */
const SMALL = 256 << 10;

/** What Bun takes a file's size for as long as nobody has asked: slices that count from the end begin so far before it. */
const UNKNOWN_SIZE = 2 ** 52 - 1;

/** Where a slice begins is shown by console.log only. Where that has changed, slices are read whole, which is always right. */
const shows = beginning(Bun.file("/").slice(5, 7)) === 5 && beginning(Bun.file("/")) === 0;

/** Whether a Blob is a file's of the system, or a slice of it. A `File` is in memory, and all Blobs have Bun's stat(). */
export function isFile(body: Blob): body is Bun.BunFile {
  return !(body instanceof File) && (body as Partial<Bun.BunFile>).name !== undefined;
}

/**
 * Sends a file. It is looked at first, so that a missing one is an error and not half a response. A slice goes out as 206 with its
 * content-range, as in Bun.serve(), unless the handler has chosen another status.
 */
export async function respondWithFile(call: Call, response: Response, body: Bun.BunFile): Promise<void> {
  park(call);
  try {
    const stat = await body.stat();
    if (stat.isDirectory()) throw Object.assign(new Error(`EISDIR: ${body.name} is a directory`), { code: "EISDIR" });
    if (!stat.isFile()) {
      if (!call.exchange!.gone) stream(call, response, body.stream(), -1);
      return;
    }
    // The size of a slice is what was asked for, however little of the file there is.
    const { from, length } = shows ? part(body, stat.size) : { from: 0, length: body.size === stat.size ? stat.size : 0 };
    const sliced = length !== stat.size;
    const head = sliced && shows && length > 0 ? partial(call, response, from, length, stat.size) : response;
    // Bun reads slices that count from the end wrongly as long as it does not know the size.
    const source = sliced && shows ? Bun.file(body.name!).slice(from, from + length) : body;
    if (length <= SMALL) respondWith(call, head, await source.bytes());
    else if (!call.exchange!.gone) stream(call, head, source.stream(), length);
  } catch (error) {
    fail(call, error);
  }
}

/** Which of a file's bytes a slice of it has. */
function part(slice: Bun.BunFile, size: number): { from: number; length: number } {
  let from = beginning(slice)!;
  if (from > UNKNOWN_SIZE / 2) from = Math.max(0, size - (UNKNOWN_SIZE - from));
  return { from, length: Math.max(0, Math.min(slice.size, size - from)) };
}

/** The offset that console.log shows; undefined when it shows something else. */
function beginning(file: Blob): number | undefined {
  const text = Bun.inspect(file);
  if (!text.startsWith("FileRef (")) return undefined;
  return Number(/\n {2}offset: (\d+)\n\n}$/.exec(text)?.[1] ?? 0);
}

/** The head of a response that has a part of a file. */
function partial(call: Call, response: Response, from: number, length: number, size: number): Response {
  if (response.status !== 200 || H3Request.method(call.request) === "HEAD") return response;
  const head = new Response(null, { status: 206, headers: response.headers });
  if (!head.headers.has("content-range")) head.headers.set("content-range", `bytes ${from}-${from + length - 1}/${size}`);
  const trailers = trailersOf(response);
  return trailers === undefined ? head : withTrailers(head, trailers);
}
