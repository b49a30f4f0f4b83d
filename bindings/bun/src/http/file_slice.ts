/**
 * What a Blob of a file stands for: all of it, whatever size that has by then, or a part, and which.
 *
 * Bun tells of neither. What can be found out without asking for the file's size, which Bun then keeps for good, is found out here.
 */
import type { Stats } from "node:fs";

/** What Bun takes a file's size for as long as nobody has asked: slices that count from the end begin so far before it. */
const UNKNOWN_SIZE = 2 ** 52 - 1;

/** Where a slice begins is shown by console.log only. Where that has changed, slices are read whole, which is always right. */
export const shows = beginning(Bun.file("/").slice(5, 7)) === 5 && beginning(Bun.file("/")) === 0;

/** Responses of static routes, and the whole files that they stand for. */
const wholes = new WeakMap<Response, Bun.BunFile>();

/** A response that sends all of a file, whatever size it has then. */
export function wholeFile(file: Bun.BunFile, init: ResponseInit): Response {
  // Asked what it is (see body_kind.ts), a Response has Bun look for the size of its file, which Bun then keeps; a slice has a size.
  const response = new Response(file.slice(0, 1), init);
  wholes.set(response, file);
  return response;
}

/** The file that a response of wholeFile() sends. */
export function wholeOf(response: Response): Bun.BunFile | undefined {
  return wholes.get(response);
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

/** Whether a Blob is a file's of the system, or a slice of it. A `File` is in memory, and all Blobs have Bun's stat(). */
export function isFile(body: Blob): body is Bun.BunFile {
  return !(body instanceof File) && (body as Partial<Bun.BunFile>).name !== undefined;
}

/** The whole file of a slice, found by its name; undefined where that is another's: a handler may give a Blob any name. */
export async function named(slice: Bun.BunFile, stat: Stats): Promise<Bun.BunFile | undefined> {
  const file = Bun.file(slice.name!);
  const { ino, dev } = await file.stat();
  return ino === stat.ino && dev === stat.dev ? file : undefined;
}

/** Which of a file's bytes a Blob of it has. */
export function part(file: Bun.BunFile, size: number): { from: number; length: number } {
  return shows ? shown(file, size) : unshown(file, size);
}

/** The same where slices cannot be told from files. */
function unshown(body: Bun.BunFile, size: number): { from: number; length: number } {
  return { from: 0, length: body.size === size ? size : 0 };
}

/** A slice that can be read. Bun reads those that count from the end wrongly as long as it does not know the size. */
export async function sliceOf(slice: Bun.BunFile, from: number, length: number, stat: Stats): Promise<Blob> {
  if (!countsFromEnd(beginning(slice)!)) return slice;
  const file = await named(slice, stat);
  if (file === undefined) throw new Error(`a slice from the end of a file is called "${slice.name}", which is another file`);
  return file.slice(from, from + length);
}

function countsFromEnd(beginning: number): boolean {
  return beginning > UNKNOWN_SIZE / 2;
}

function shown(slice: Bun.BunFile, size: number): { from: number; length: number } {
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
