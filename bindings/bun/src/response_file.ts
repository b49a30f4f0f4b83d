/** Sends a file, or the part of it that a slice of a `Bun.file()` stands for. */
import type { Stats } from "node:fs";
import { fail, park, type Call } from "./answer.ts";
import { H3Request } from "./request.ts";
import { respondWith, stream, trailersOf, withTrailers } from "./response.ts";

/** Files up to this are read whole: one call instead of many. */
const SMALL = 256 << 10;

/** What Bun takes a file's size for as long as nobody has asked: slices that count from the end begin so far before it. */
const UNKNOWN_SIZE = 2 ** 52 - 1;

/** Where a slice begins is shown by console.log only. Where that has changed, slices are read whole, which is always right. */
const shows = beginning(Bun.file("/").slice(5, 7)) === 5 && beginning(Bun.file("/")) === 0;

/** Responses of static routes, and the whole files that they stand for. */
const wholes = new WeakMap<Response, Bun.BunFile>();

/** A response that sends all of a file, whatever size it has then. */
export function wholeFile(file: Bun.BunFile, init: ResponseInit): Response {
  // Asked what it is (see body_kind.ts), a Response has Bun look for the size of its file, which Bun then keeps; a slice has a size.
  const response = new Response(file.slice(0, 1), init);
  wholes.set(response, file);
  return response;
}

/** Whether a file's Blob is not a slice of it. Asks for the size of slices only: the whole file's own Bun would look for, and keep. */
export function isWhole(file: Blob): boolean {
  return beginning(file) === 0 && file.slice(1).size === UNKNOWN_SIZE - 1;
}

/** Whether a file is there and can be sent. Bun's exists() may be what it found long ago. */
export async function isThere(file: Bun.BunFile): Promise<boolean> {
  try {
    const stat = await file.stat();
    return stat.isFile() || stat.isFIFO();
  } catch {
    return false;
  }
}

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

/** The whole file of a slice, found by its name; undefined where that is another's: a handler may give a Blob any name. */
async function named(slice: Bun.BunFile, stat: Stats): Promise<Bun.BunFile | undefined> {
  const file = Bun.file(slice.name!);
  const { ino, dev } = await file.stat();
  return ino === stat.ino && dev === stat.dev ? file : undefined;
}

/** Whether a Blob is a file's of the system, or a slice of it. A `File` is in memory, and all Blobs have Bun's stat(). */
export function isFile(body: Blob): body is Bun.BunFile {
  return !(body instanceof File) && (body as Partial<Bun.BunFile>).name !== undefined;
}

/**
 * Sends a file as it is now, whatever it was when its Blob was made. It is looked at first, so that a missing one is an error and not
 * half a response. A slice goes out as 206 with its content-range, as in Bun.serve(), unless the handler has chosen another status.
 */
export async function respondWithFile(call: Call, response: Response, body: Bun.BunFile): Promise<void> {
  park(call);
  try {
    const whole = wholes.get(response);
    let file = whole ?? body;
    const stat = await file.stat();
    if (stat.isDirectory()) throw Object.assign(new Error(`EISDIR: ${file.name} is a directory`), { code: "EISDIR" });
    if (!stat.isFile()) {
      if (!call.exchange!.gone) stream(call, response, file.stream(), -1);
      return;
    }
    // The size of a slice is what was asked for, however little of the file there is.
    let { from, length } = whole !== undefined ? { from: 0, length: stat.size } : shows ? part(file, stat.size) : unshown(file, stat.size);
    if (from === 0 && length < stat.size) {
      const now = await grown(response, file, length, stat);
      if (now !== undefined) [file, length] = [now, stat.size];
    }
    const sliced = length !== stat.size;
    if (!sliced && whole === undefined) remember(file.name!, length);
    const head = sliced && shows && length > 0 ? partial(call, response, from, length, stat.size) : response;
    const source = sliced && shows ? await bytesOf(file, from, length, stat) : file;
    if (length <= SMALL) respondWith(call, head, await source.bytes());
    // What is written behind it while it is sent is no part of it.
    else if (!call.exchange!.gone) stream(call, head, source.slice(0, length).stream(), length);
  } catch (error) {
    fail(call, error);
  }
}

/** The same where slices cannot be told from files. */
function unshown(body: Bun.BunFile, size: number): { from: number; length: number } {
  return { from: 0, length: body.size === size ? size : 0 };
}

/** A slice that can be read. Bun reads those that count from the end wrongly as long as it does not know the size. */
async function bytesOf(slice: Bun.BunFile, from: number, length: number, stat: Stats): Promise<Blob> {
  if (!countsFromEnd(beginning(slice)!)) return slice;
  const file = await named(slice, stat);
  if (file === undefined) throw new Error(`a slice from the end of a file is called "${slice.name}", which is another file`);
  return file.slice(from, from + length);
}

function countsFromEnd(beginning: number): boolean {
  return beginning > UNKNOWN_SIZE / 2;
}

/** Which of a file's bytes a slice of it has. */
function part(slice: Bun.BunFile, size: number): { from: number; length: number } {
  let from = beginning(slice)!;
  if (countsFromEnd(from)) from = Math.max(0, size - (UNKNOWN_SIZE - from));
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
