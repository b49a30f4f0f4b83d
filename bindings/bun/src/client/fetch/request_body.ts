/** The body of a request: what it is made of, and how it goes out. */
import { bytesOfBlob } from "../../common/native_body.ts";
import { peek } from "../../common/peek.ts";
import { isFile, part, shows, sliceOf } from "../../http/file_slice.ts";
import { pulledOnce } from "../../http/direct_stream.ts";

/** What fetch() takes as a body. */
export type BodyInput = RequestInit["body"] | AsyncIterable<string | Uint8Array | ArrayBuffer>;

/** Bodies up to this are given to the library whole: then it can send them again, where a server says that it never looked at them. */
export const LARGEST_WHOLE = 256 << 10;

/** A body. What is in memory can be sent again, a stream cannot. */
export type RequestBody =
  | { readonly bytes: Uint8Array; readonly lease?: Lease }
  | { readonly blob: Blob }
  | { readonly stream: ReadableStream; readonly length: number | undefined };

/** Who needs the memory of a body's bytes, which nobody else has: it goes with the last, not at the next collection. */
export class Lease {
  #users = 1;
  #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** One more needs it, until they call letGo(). */
  join(): void {
    this.#users++;
  }

  /** One less needs it. */
  letGo(): void {
    if (--this.#users === 0) (this.#bytes.buffer as ArrayBuffer).transfer(0);
  }
}

/** Bytes that are a body's own. Small ones are not worth a lease. */
function owned(bytes: Uint8Array): RequestBody {
  return bytes.length > LARGEST_WHOLE && bytes.length === bytes.buffer.byteLength ? { bytes, lease: new Lease(bytes) } : { bytes };
}

/** A body and the content-type that goes with it. */
export interface Extracted {
  readonly body: RequestBody;
  readonly type: string | undefined;
}

const { getReader } = ReadableStream.prototype;
const isLocked = Object.getOwnPropertyDescriptor(ReadableStream.prototype, "locked")!.get!;

/**
 * What a body is made of.
 * @throws TypeError for a stream that is in use
 */
export function extract(input: NonNullable<BodyInput>): Extracted | Promise<Extracted> {
  if (typeof input === "string") return { body: owned(Buffer.from(input, "utf8")), type: "text/plain;charset=utf-8" };
  // A copy, as in the standard: it may be changed while the fetch is under way.
  if (ArrayBuffer.isView(input)) return { body: owned(new Uint8Array(input.buffer, input.byteOffset, input.byteLength).slice()), type: undefined };
  if (input instanceof ArrayBuffer || input instanceof SharedArrayBuffer) return { body: owned(new Uint8Array(input).slice()), type: undefined };
  if (input instanceof Blob) return { body: { blob: input }, type: input.type === "" ? undefined : input.type };
  if (input instanceof ReadableStream) return { body: { stream: usable(input), length: undefined }, type: undefined };
  if (input instanceof FormData || input instanceof URLSearchParams) return formOf(input);
  if (typeof input === "object" && Symbol.asyncIterator in input) {
    return { body: { stream: iterated(input[Symbol.asyncIterator]()), length: undefined }, type: undefined };
  }
  return extract(String(input));
}

/** What an iterator gives, as it is asked for: what it throws is what the stream fails with, in every Bun. */
function iterated(iterator: AsyncIterator<unknown>): ReadableStream {
  return new ReadableStream(
    {
      async pull(controller) {
        const { done, value } = await iterator.next();
        if (done === true) controller.close();
        else controller.enqueue(value);
      },
      async cancel(reason) {
        await iterator.return?.(reason);
      },
    },
    { highWaterMark: 0 },
  );
}

function formOf(form: FormData | URLSearchParams): Extracted | Promise<Extracted> {
  const response = new Response(form as FormData);
  const type = response.headers.get("content-type") ?? undefined;
  const bytes = peek(response.bytes());
  if (bytes instanceof Promise) return bytes.then((bytes) => ({ body: owned(bytes), type }));
  return { body: owned(bytes), type };
}

function usable(stream: ReadableStream): ReadableStream {
  if (isLocked.call(stream)) throw new TypeError("the body of a request is a stream that is in use: it can be sent once");
  return stream;
}

/** The body of a Request, which is used then; undefined: it has none. */
export function bodyOfRequest(request: Request): RequestBody | Promise<RequestBody> | undefined {
  if (request.bodyUsed) throw new TypeError("the body of the Request has been used");
  if (isInMemory(request)) {
    const blob = peek(request.blob());
    return blob instanceof Promise ? blob.then((blob) => ({ blob })) : { blob };
  }
  const { body } = request;
  return body === null ? undefined : { stream: usable(body), length: undefined };
}

/** Whether a Request's body is shown to be bytes or a file. Where that is not shown, it is read as a stream, which is always right. */
function isInMemory(request: Request): boolean {
  let text: string;
  try {
    text = Bun.inspect(request);
  } catch {
    return false;
  }
  const from = text.indexOf("\n  headers: Headers {");
  return /^\n {2}headers: Headers \{(?:\}|(?:\n {4}.*)*\n {2}\})\n {2}(?:Blob|File|FileRef)\b/.test(text.slice(from));
}

/**
 * A body as it is sent: a file as it is now, and what is small as bytes. A promise only where something has to be looked at.
 * @throws what the system says of a file that cannot be read
 */
export function ready(body: RequestBody): RequestBody | Promise<RequestBody> {
  if (!("blob" in body)) return "stream" in body ? { ...body, stream: pulledOnce(body.stream) } : body;
  const { blob } = body;
  if (isFile(blob)) return fileNow(blob);
  if (blob.size > LARGEST_WHOLE) return body;
  const bytes = peek(bytesOfBlob(blob));
  return bytes instanceof Promise ? bytes.then((bytes) => ({ bytes })) : { bytes };
}

async function fileNow(file: Bun.BunFile): Promise<RequestBody> {
  const stat = await file.stat();
  if (stat.isDirectory()) throw Object.assign(new Error(`EISDIR: ${file.name} is a directory`), { code: "EISDIR" });
  if (!stat.isFile()) return { stream: file.stream(), length: undefined };
  const { from, length } = part(file, stat.size);
  const source = length !== stat.size && shows ? await sliceOf(file, from, length, stat) : file;
  if (length <= LARGEST_WHOLE) return { bytes: await bytesOfBlob(source) };
  // What is written behind it while it is sent is no part of it.
  return { stream: source.slice(0, length).stream(), length };
}

/** The request has been answered: its body is not sent again. */
export function settled(body: RequestBody | undefined): void {
  if (body !== undefined && "bytes" in body) body.lease?.letGo();
}

/** Lets go of a body that is not sent. */
export function discard(body: RequestBody | undefined, reason: unknown): void {
  if (body === undefined || !("stream" in body) || isLocked.call(body.stream)) return;
  (getReader.call(body.stream) as ReadableStreamDefaultReader).cancel(reason).catch(() => {});
}
