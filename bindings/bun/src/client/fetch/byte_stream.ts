/**
 * Bodies of responses as byte streams, for readers that bring their own memory (`getReader({ mode: "byob" })`), as in the fetch standard. Byte streams
 * cost Bun up to three times what others do for each piece, so that a body becomes one when somebody asks for such a reader, and not before.
 */

const { getReader } = ReadableStream.prototype;

/** What a body passes on to its byte stream, once it has one. */
const MEMBERS = ["getReader", "cancel", "tee", "pipeTo", "pipeThrough", "values", Symbol.asyncIterator] as const;

/** Lets readers of both modes read a body. A second time does nothing. */
export function byteReadable<Stream extends ReadableStream<Uint8Array>>(body: Stream): Stream {
  if (Object.hasOwn(body, "getReader")) return body;
  const own = (options?: { mode?: string }): unknown => {
    if (options?.mode !== "byob") return getReader.call(body, options as undefined);
    const bytes = byteStream(body);
    passOn(body, bytes);
    return bytes.getReader({ mode: "byob" });
  };
  return Object.defineProperty(body, "getReader", { value: own, configurable: true, writable: true });
}

/** From here on the one stands for the other: a body has one reader at a time, of whichever mode. */
function passOn(body: ReadableStream<Uint8Array>, bytes: ReadableStream<Uint8Array>): void {
  for (const member of MEMBERS) {
    const call = bytes[member] as (...args: unknown[]) => unknown;
    Object.defineProperty(body, member, { value: call.bind(bytes), configurable: true, writable: true });
  }
  Object.defineProperty(body, "locked", { get: () => bytes.locked, configurable: true });
}

/** A byte stream of what a body gives. */
function byteStream(body: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
  const reader = getReader.call(body) as ReadableStreamDefaultReader<Uint8Array>;
  /** What the last one to read had no room for. */
  let rest: Uint8Array | undefined;
  let pulling = false;
  /** The body has given all that it has. */
  let ended = false;
  /** Nothing more is given. */
  let over = false;

  const finish = (controller: ReadableByteStreamController): void => {
    if (over || pulling || !ended || rest !== undefined) return;
    over = true;
    try {
      controller.close();
    } catch {
      return; // the bytes end within an element of the reader's own array: its read rejects with that, and needs nobody else to say so
    }
    controller.byobRequest?.respond(0);
  };

  /** Gives some of the rest. It is copied, for what is enqueued is taken away from whoever has it, and decoders have theirs in one piece with others. */
  const give = (controller: ReadableByteStreamController, bytes: Uint8Array): void => {
    const { byobRequest } = controller;
    const view = byobRequest?.view;
    if (view === undefined || view === null) {
      rest = undefined;
      controller.enqueue(bytes.slice());
      return;
    }
    const taken = bytes.subarray(0, view.byteLength);
    new Uint8Array(view.buffer, view.byteOffset, view.byteLength).set(taken);
    rest = taken.length < bytes.length ? bytes.subarray(taken.length) : undefined;
    byobRequest!.respond(taken.length);
  };

  return new ReadableStream<Uint8Array>(
    {
      type: "bytes",
      start(controller: ReadableByteStreamController) {
        // Who has a reader and reads nothing now learns of the end by its `closed`.
        reader.closed.then(
          () => {
            ended = true;
            finish(controller);
          },
          (error) => controller.error(error),
        );
      },
      async pull(controller: ReadableByteStreamController) {
        pulling = true;
        try {
          while (rest === undefined && !ended) {
            const { done, value } = await reader.read();
            if (done) ended = true;
            else if (value.length > 0) rest = value;
          }
          if (rest !== undefined && !over) give(controller, rest);
        } finally {
          pulling = false;
        }
        finish(controller);
      },
      cancel(reason: unknown) {
        over = true;
        return reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
}
