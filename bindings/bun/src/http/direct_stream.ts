/**
 * Streams of `type: "direct"`, which are Bun's own: their pull() is called once and writes to a controller until it calls end(), or
 * until the promise that it gives resolves.
 *
 * So Bun.serve() reads them. Whoever reads them as the web does has pull() called again at each read, and cannot tell such a stream
 * from any other; nothing that can be asked of it says so. Its making does. Therefore the global ReadableStream is watched from the
 * loading of this module on, and who the source of a direct stream is remembered as long as the stream lives.
 */

type Source = Bun.DirectUnderlyingSource<Uint8Array>;
type Class = typeof ReadableStream;

/** Bytes that wait for the network before write() asks to be waited for. */
const HIGH_WATER_MARK = 64 << 10;

/** Bytes that are not kept back for more that may follow in the same turn. */
const LARGE = 16 << 10;

/** What outlives a run under `bun --hot`: the sources, by their streams. */
const KEPT = Symbol.for("zig-h3.direct");
const global = globalThis as { [KEPT]?: WeakMap<ReadableStream, Source> };
const sources = (global[KEPT] ??= watch());

/** Lets the global ReadableStream tell of direct streams. In everything else it is what it was. */
function watch(): WeakMap<ReadableStream, Source> {
  const made = new WeakMap<ReadableStream, Source>();
  const native: Class = ReadableStream;
  const watched: Class = new Proxy(native, {
    construct(target, args: [unknown?], newTarget) {
      const stream = Reflect.construct(target, args, newTarget === watched ? target : newTarget) as ReadableStream;
      const source = args[0] as Source | undefined;
      if (source?.type === "direct") made.set(stream, source);
      return stream;
    },
  });
  for (const [of, name] of [[globalThis, "ReadableStream"], [native.prototype, "constructor"]] as const) {
    Object.defineProperty(of, name, { ...Object.getOwnPropertyDescriptor(of, name), value: watched });
  }
  return made;
}

/** The stream as one that can be read as any other, pull() being called once. It is in use from then on. */
export function pulledOnce(stream: ReadableStream): ReadableStream {
  const source = sources.get(stream);
  if (source === undefined) return stream;
  stream.getReader(); // nobody else is to read it
  const size = (chunk?: Uint8Array): number => chunk!.byteLength;
  return new ReadableStream<Uint8Array>(new Direct(source) as Bun.UnderlyingSource<Uint8Array>, { highWaterMark: HIGH_WATER_MARK, size });
}

/** A direct source as the source of a stream, and the controller that it writes to. */
class Direct {
  #source: Source;
  #out!: ReadableStreamDefaultController<Uint8Array>;
  #sink = new Bun.ArrayBufferSink();
  /** Bytes in the sink. */
  #held = 0;
  #pulled = false;
  #ended = false;
  /** Nobody wants it any more. */
  #cancelled = false;
  /** Goes on when there is room again. */
  #waiting: PromiseWithResolvers<void> | undefined;

  constructor(source: Source) {
    this.#source = source;
    this.#sink.start({ asUint8Array: true, stream: true });
  }

  start(out: ReadableStreamDefaultController<Uint8Array>): void {
    this.#out = out;
  }

  /** There is room. */
  pull(): void {
    this.#goOn();
    if (this.#pulled) return;
    this.#pulled = true;
    const { write, end, close, flush, error } = this;
    const controller = { start() {}, write, end, close, flush, error };
    let result: unknown;
    try {
      result = this.#source.pull(controller as unknown as Parameters<Source["pull"]>[0]);
    } catch (error) {
      return this.error(error);
    }
    if (typeof (result as PromiseLike<unknown> | undefined)?.then !== "function") return;
    Promise.resolve(result).then(() => this.#ended || this.end(), this.error);
  }

  cancel(reason: unknown): unknown {
    this.#cancelled = this.#ended = true;
    this.#goOn();
    return (this.#source as { cancel?(reason: unknown): unknown }).cancel?.(reason);
  }

  /** Takes bytes or text. A promise: the network is slow, and it resolves when more is wanted. */
  write = (data: string | ArrayBufferView | ArrayBuffer | SharedArrayBuffer): number | Promise<number> => {
    if (this.#cancelled) return 0; // the client has gone; that is no fault of who writes on
    if (this.#ended) throw new TypeError('the stream has ended: a "direct" ReadableStream does so once its async pull() returns');
    const length = this.#sink.write(data as string);
    if (this.#held === 0) queueMicrotask(this.#hand);
    this.#held += length;
    if (this.#held >= LARGE) this.#hand();
    return this.#room(length);
  };

  /** Sends what was written on its way. */
  flush = (): number | Promise<number> => {
    const held = this.#held;
    this.#hand();
    return this.#room(held);
  };

  /** Nothing more comes. */
  end = (): number => {
    const held = this.#held;
    if (this.#ended) return 0;
    this.#hand();
    this.#ended = true;
    this.#goOn();
    this.#out.close();
    return held;
  };

  /** The same, or with an error a failure. */
  close = (error?: unknown): void => {
    if (error === undefined) this.end();
    else this.error(error);
  };

  /** Nothing more comes, for it has failed. */
  error = (error: unknown): void => {
    if (this.#ended) return;
    this.#ended = true;
    this.#goOn();
    this.#out.error(error);
  };

  #hand = (): void => {
    if (this.#held === 0 || this.#ended) return;
    this.#held = 0;
    this.#out.enqueue(this.#sink.flush() as Uint8Array<ArrayBuffer>);
  };

  /** Who waits for room need not wait any longer. */
  #goOn(): void {
    this.#waiting?.resolve();
    this.#waiting = undefined;
  }

  #room(length: number): number | Promise<number> {
    if (this.#ended || this.#out.desiredSize! > 0) return length;
    return (this.#waiting ??= Promise.withResolvers<void>()).promise.then(() => length);
  }
}
