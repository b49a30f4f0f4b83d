/**
 * Content codings of responses: gzip, deflate, br and zstd. A small body that is all there is decoded at once, within a bound; others as they are
 * read, so that a body of a few bytes that stands for gigabytes takes no more memory than its reader asks for.
 */
import zlib from "node:zlib";
import type { Transform } from "node:stream";
import { inWords } from "../../common/failure.ts";
import { H3Error } from "../../native/errors.ts";
import { ERROR } from "../../native/layout.ts";
import { fetchFailed } from "./failure.ts";
import { ZstdEnd } from "./zstd_end.ts";

/** A coding that is undone. */
interface Coding {
  /** All at once; throws where it is more than that. */
  whole(bytes: Uint8Array, most: number): Uint8Array;
  /** A piece at a time. `first` are the first bytes. */
  stream(first: Uint8Array): Transform;
  /** Where it ends, if its decoder does not always tell. */
  end?(): ZstdEnd;
}

const { constants } = zlib;

/** As node:zlib has it of the other codings. */
const CUT_OFF = Object.assign(new Error("unexpected end of file"), { code: "Z_BUF_ERROR" });

/** Both are called deflate by servers, and only one of them is meant by the standard (RFC 9110, 8.4.1.2). */
function hasZlibHead(bytes: Uint8Array): boolean {
  return bytes.length < 2 || ((bytes[0]! & 0x0f) === 8 && ((bytes[0]! << 8) | bytes[1]!) % 31 === 0);
}

const GZIP: Coding = {
  whole: (bytes, maxOutputLength) => zlib.gunzipSync(bytes, { maxOutputLength }),
  stream: () => zlib.createGunzip(),
};

const CODINGS: Readonly<Record<string, Coding>> = {
  gzip: GZIP,
  "x-gzip": GZIP,
  deflate: {
    whole: (bytes, maxOutputLength) => (hasZlibHead(bytes) ? zlib.inflateSync : zlib.inflateRawSync)(bytes, { maxOutputLength }),
    stream: (first) => (hasZlibHead(first) ? zlib.createInflate() : zlib.createInflateRaw()),
  },
  br: {
    whole: (bytes, maxOutputLength) => zlib.brotliDecompressSync(bytes, { maxOutputLength }),
    stream: () => zlib.createBrotliDecompress(),
  },
  zstd: {
    whole(bytes, maxOutputLength) {
      const end = new ZstdEnd();
      if (end.take(bytes) !== bytes.length || !end.reached) throw CUT_OFF; // or more than the decoder takes at a time
      return zlib.zstdDecompressSync(bytes, { maxOutputLength });
    },
    // The largest window that a decoder has to support (RFC 8878, 3.1.1.1.2, and RFC 9659).
    stream: () => zlib.createZstdDecompress({ params: { [constants.ZSTD_d_windowLogMax]: 23 } }),
    end: () => new ZstdEnd(),
  },
};

/** What requests say that they take. */
export const ACCEPTED = "gzip, deflate, br, zstd";

/** More than so many layers nobody means. */
const MOST_CODINGS = 5;

/** A body that is all there is decoded at once up to this size of the outcome. */
const AT_ONCE = 256 << 10;

/**
 * The codings that a content-encoding names, in the order in which they are undone; undefined: none, or one that is not known: then the body
 * stays as it is, as in the standard.
 * @throws TypeError for more of them than anybody means
 */
export function codingsOf(field: string | null): Coding[] | undefined {
  if (field === null) return undefined;
  const names = field.split(",").map((name) => name.trim().toLowerCase()).filter((name) => name !== "" && name !== "identity");
  if (names.length === 0) return undefined;
  if (names.length > MOST_CODINGS) throw undecodable(`${names.length} content codings, of which ${MOST_CODINGS} are undone at most`);
  const codings = names.map((name) => (Object.hasOwn(CODINGS, name) ? CODINGS[name]! : undefined));
  return codings.includes(undefined) ? undefined : (codings.reverse() as Coding[]);
}

/** All of a body, decoded; undefined: it is read as it is decoded, for its size, or so that its reader learns what is wrong with it. */
export function decodeWhole(codings: Coding[], bytes: Uint8Array): Uint8Array | undefined {
  let all = bytes;
  try {
    for (const coding of codings) all = coding.whole(all, AT_ONCE);
  } catch {
    return undefined;
  }
  return all;
}

/** A body, decoded as it is read. */
export function decodeStream(codings: Coding[], body: ReadableStream<Uint8Array>): ReadableStream<Uint8Array<ArrayBuffer>> {
  const reader = body.getReader() as ReadableStreamDefaultReader<Uint8Array>;
  let chunks = read(reader);
  for (const coding of codings) chunks = undone(coding, chunks);
  return new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      async pull(controller) {
        const { done, value } = await chunks.next();
        if (done) controller.close();
        else controller.enqueue(value as Uint8Array<ArrayBuffer>);
      },
      async cancel(reason) {
        await reader.cancel(reason); // what waits for it ends with that
        await chunks.return(undefined);
      },
    },
    { highWaterMark: 0 },
  );
}

async function* read(reader: ReadableStreamDefaultReader<Uint8Array>): AsyncGenerator<Uint8Array> {
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield value;
  }
}

/** Pieces as a decoder takes them. */
async function* pieces(end: ZstdEnd, chunks: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    for (let rest = chunk; rest.length > 0; ) {
      const length = end.take(rest);
      yield rest.subarray(0, length);
      rest = rest.subarray(length);
    }
  }
}

/** What stands behind one layer. A body without a byte has none. Nothing is read that nobody has asked for. */
async function* undone(coding: Coding, body: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  const end = coding.end?.();
  const chunks = end === undefined ? body : pieces(end, body);
  try {
    const first = await chunks.next();
    if (first.done) return;
    const decoder = new Decoder(coding.stream(first.value));
    try {
      decoder.write(first.value);
      for (;;) {
        const piece = decoder.read();
        if (piece !== undefined) {
          yield piece;
        } else if (decoder.ended) {
          break;
        } else if (decoder.hungry) {
          const { done, value } = await chunks.next();
          if (done) decoder.end();
          else decoder.write(value);
        } else {
          await decoder.change();
        }
      }
    } finally {
      decoder.destroy();
    }
    if (end?.reached === false) throw undecodable(CUT_OFF);
    while (!(await chunks.next()).done); // what stands behind the end of the coding is nothing, but the server may break it off
  } finally {
    await chunks.return(undefined);
  }
}

/** A decoder of node:zlib that is fed by hand. */
class Decoder {
  #transform: Transform;
  #writing = false;
  #finished = false;
  #failure: { error: unknown } | undefined;
  #wake: (() => void) | undefined;

  constructor(transform: Transform) {
    this.#transform = transform;
    const wake = (): void => this.#wake?.();
    transform.on("readable", wake).on("end", wake).on("close", wake);
    transform.on("error", (error) => {
      this.#failure ??= { error };
      wake();
    });
  }

  /** It has given all that there is. */
  get ended(): boolean {
    return this.#transform.readableEnded;
  }

  /** It has nothing left to work on. */
  get hungry(): boolean {
    return !this.#writing && !this.#finished;
  }

  /** Takes some of the body. */
  write(bytes: Uint8Array): void {
    this.#writing = true;
    this.#transform.write(bytes, () => {
      this.#writing = false;
      this.#wake?.();
    });
  }

  /** That was all of the body. */
  end(): void {
    this.#finished = true;
    this.#transform.end();
  }

  /** Some of what stands behind it; undefined: there is nothing now. */
  read(): Uint8Array | undefined {
    if (this.#failure !== undefined) throw undecodable(this.#failure.error);
    return (this.#transform.read() as Uint8Array | null) ?? undefined;
  }

  /** Waits until something has changed. */
  async change(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    this.#wake = undefined;
  }

  destroy(): void {
    this.#transform.destroy();
  }
}

/** A body that is not what its content-encoding says. */
function undecodable(why: unknown): TypeError | DOMException {
  const short = (why as { code?: unknown } | undefined)?.code === "Z_BUF_ERROR";
  return fetchFailed(new H3Error(short ? ERROR.TRUNCATED : ERROR.PROTOCOL, `the response cannot be decoded: ${inWords(why)}`));
}
