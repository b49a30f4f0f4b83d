/** Sends a file, or the part of it that a slice of a `Bun.file()` stands for. */
import type { Stats } from "node:fs";
import { bytesOfBlob } from "../../common/native_body.ts";
import { named, part, shows, sliceOf, wholeOf } from "../../http/file_slice.ts";
import { trailersOf, withTrailers } from "../../http/trailers.ts";
import { H3Request } from "../api/request.ts";
import type { Call } from "./call.ts";
import { respondWith, stream } from "./send.ts";

/** Files up to this are read whole: one call instead of many. */
const SMALL = 256 << 10;

/**
 * Files that were sent whole, with the sizes that they had. A Blob that a handler keeps has its first size for good, and looks like a
 * slice when the file has grown: one that ends where the file did when it was sent is none.
 */
const sent = new Set<string>();

/** How many of them are kept. */
const SENT = 4096;

function remember(name: string, size: number): void {
  const key = `${size} ${name}`;
  sent.delete(key);
  sent.add(key);
  if (sent.size > SENT) sent.delete(sent.values().next().value!);
}

/** The file as it is now, if `body` is all of what it was when it was sent before; undefined when it is a slice. */
async function grown(response: Response, body: Bun.BunFile, length: number, stat: Stats): Promise<Bun.BunFile | undefined> {
  if (response.status !== 200 || response.headers.has("content-range") || !sent.has(`${length} ${body.name}`)) return undefined;
  return named(body, stat);
}

/**
 * Sends a file as it is now, whatever it was when its Blob was made. It is looked at first, so that a missing one is an error and not
 * half a response. A slice goes out as 206 with its content-range, as in Bun.serve(), unless the handler has chosen another status.
 */
export async function respondWithFile(call: Call, response: Response, body: Bun.BunFile): Promise<void> {
  call.park();
  try {
    const whole = wholeOf(response);
    let file = whole ?? body;
    const stat = await file.stat();
    if (stat.isDirectory()) throw Object.assign(new Error(`EISDIR: ${file.name} is a directory`), { code: "EISDIR" });
    if (!stat.isFile()) {
      if (!call.exchange!.gone) stream(call, response, file.stream(), -1);
      return;
    }
    // The size of a slice is what was asked for, however little of the file there is.
    let { from, length } = whole !== undefined ? { from: 0, length: stat.size } : part(file, stat.size);
    if (from === 0 && length < stat.size) {
      const now = await grown(response, file, length, stat);
      if (now !== undefined) [file, length] = [now, stat.size];
    }
    const sliced = length !== stat.size;
    if (!sliced && whole === undefined) remember(file.name!, length);
    const head = sliced && shows && length > 0 ? partial(call, response, from, length, stat.size) : response;
    const source = sliced && shows ? await sliceOf(file, from, length, stat) : file;
    if (length <= SMALL) respondWith(call, head, await bytesOfBlob(source));
    // What is written behind it while it is sent is no part of it.
    else if (!call.exchange!.gone) stream(call, head, source.slice(0, length).stream(), length);
  } catch (error) {
    call.fail(error);
  }
}

/** The head of a response that has a part of a file. */
function partial(call: Call, response: Response, from: number, length: number, size: number): Response {
  if (response.status !== 200 || H3Request.method(call.request) === "HEAD") return response;
  const head = new Response(null, { status: 206, headers: response.headers });
  if (!head.headers.has("content-range")) head.headers.set("content-range", `bytes ${from}-${from + length - 1}/${size}`);
  const trailers = trailersOf(response);
  return trailers === undefined ? head : withTrailers(head, trailers);
}
