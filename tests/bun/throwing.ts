/**
 * Every place where code of a user's can throw while a request is answered: what a handler gives for it, what the client then sees, and
 * what is told. programs/throws.ts serves them, throws.test.ts asks for them.
 */
import { withTrailers, type H3Request } from "../../bindings/bun/src/index.ts";

/** What a client sees of an answer: status and text, or the code of a reset. */
export type Seen = readonly [status: number, text: string] | number;

export interface Place {
  give(request: H3Request): unknown;
  /** Default: the plain 500. */
  seen?: Seen;
  /** Tier and message of what is told, but for debug. Default: that a handler failed on purpose. */
  told?: readonly string[];
  method?: string;
  /** The request has a body, whose begin has come when the handler is called, and whose end never does. */
  uploads?: true;
  /** The client gives the request up as soon as the first bytes of the answer are there. */
  aborts?: true;
  /** What reaches the process itself, as everything does that an event listener throws. */
  uncaught?: readonly string[];
  /** Bun 1.3 itself has a promise reject unseen when the iterable of `new Response(iterable)` fails. */
  unseen?: true;
}

export const boom = (): never => {
  throw new Error("on purpose");
};

export const PLAIN: Seen = [500, "Internal Server Error"];
export const FAILED = ["handler: a handler failed: on purpose"];
const CUT_OFF = 0x102;
const BODY_FAILED = ["handler: the body of a response failed: on purpose"];

/** An object that throws when these are looked at. */
export function guarded<T extends object>(of: T, ...names: (string | symbol)[]): T {
  for (const name of names) Object.defineProperty(of, name, { get: boom });
  return of;
}

/** An object whose methods of these names throw when they are called. */
function booming<T extends object>(of: T, ...names: (string | symbol)[]): T {
  for (const name of names) Object.defineProperty(of, name, { value: boom });
  return of;
}

const streaming = (source: Bun.UnderlyingSource<unknown>): Response => new Response(new ReadableStream(source) as ReadableStream);

/** A stream of one chunk that its reader gets. */
const chunks = (...all: unknown[]): Response =>
  streaming({
    start(controller) {
      for (const one of all) controller.enqueue(one);
      controller.close();
    },
  });

/** A stream that begins, and never ends. */
const endless = (cancel: () => unknown): ReadableStream =>
  new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(9)), cancel } as Bun.UnderlyingSource<Uint8Array>);

const short = (): ReadableStream => chunks("well").body!;

/** An iterable of one step. */
const iterable = (next: () => unknown, end?: () => unknown): unknown => ({ [Symbol.asyncIterator]: () => ({ next, return: end }) });

/** Of another make than Promise. */
export const thenable = (then: (resolve: (value: unknown) => void, reject: (error: unknown) => void) => unknown): unknown => ({ then });

const revoked = (): object => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
};

class Inspected extends Response {
  [Bun.inspect.custom](): never {
    return boom();
  }
}

/** By path. */
export const PLACES: Readonly<Record<string, Place>> = {
  // ------------------------------------------------------------------------------------------------------ what a handler gives
  "/thrown": { give: boom },
  "/rejected": { give: async () => boom() },
  "/then/getter": { give: () => guarded({}, "then") },
  "/then/throws": { give: () => thenable(boom) },
  "/then/rejects": { give: () => thenable((_, reject) => reject(new Error("on purpose"))) },
  "/then/rejects-later": { give: () => thenable((_, reject) => setTimeout(() => reject(new Error("on purpose")), 1)) },
  "/then/both": { give: () => thenable((resolve) => (resolve(new Response("first")), boom())), seen: [200, "first"], told: [] },
  "/then/thenable": { give: () => thenable((resolve) => resolve(thenable(boom))) },
  "/iterator/getter": { give: () => guarded({}, Symbol.asyncIterator) },

  // ------------------------------------------------------------------------------------------------------------------- responses
  "/response/status": { give: () => guarded(new Response("x"), "status") },
  "/response/headers": { give: () => guarded(new Response("x"), "headers") },
  "/response/stream/status": { give: () => guarded(chunks("x"), "status") },
  "/response/stream/headers": { give: () => guarded(chunks("x"), "headers") },
  "/response/stream/body": { give: () => guarded(chunks("x"), "body") },
  "/response/h3": { give: () => guarded(new Response("x"), "h3") },
  "/response/trailers": { give: () => Object.assign(new Response("x"), { h3: guarded({}, "trailers") }) },
  "/response/inspect": { give: () => new Inspected(short()), seen: [200, "well"], told: [] },
  "/response/used": {
    give: async () => {
      const response = new Response("x");
      await response.text();
      return response;
    },
    told: ["handler: a handler failed: Body already used"],
  },
  "/response/toJSON": {
    give: () => {
      const response = new Response("well");
      booming(response.headers, "toJSON");
      return response;
    },
    seen: [200, "well"],
    told: [],
  },
  "/response/error": { give: () => Response.error(), told: ["handler: a handler failed: status 0 is not within 200 to 599"] },

  "/response/bytes": { give: () => booming(new Response("well"), "bytes"), seen: [200, "well"], told: [] },
  "/response/blob": { give: () => booming(new Response(new Blob(["well"])), "blob"), seen: [200, "well"], told: [] },
  "/response/foreign": { give: () => guarded({ status: 200, headers: new Headers(), body: null, arrayBuffer() {} }, "body") },
  "/response/foreign/headers": { give: () => ({ status: 200, headers: { [Symbol.iterator]: boom }, body: null, arrayBuffer() {} }) },
  "/response/foreign/body": { give: () => ({ status: 200, headers: new Headers(), arrayBuffer: boom }), seen: CUT_OFF, told: BODY_FAILED, unseen: true },

  // --------------------------------------------------------------------------------------------------------------------- streams
  "/stream/pull": { give: () => streaming({ pull: boom }), seen: CUT_OFF, told: BODY_FAILED },
  "/stream/pull/rejects": { give: () => streaming({ pull: async () => boom() }), seen: CUT_OFF, told: BODY_FAILED },
  "/stream/pull/later": { give: () => streaming({ pull: async () => (await Bun.sleep(5), boom()) }), seen: CUT_OFF, told: BODY_FAILED },
  "/stream/cancel": { give: () => new Response(endless(boom)), aborts: true, told: [] },
  "/stream/cancel/rejects": { give: () => new Response(endless(async () => boom())), aborts: true, told: [] },
  "/stream/head": { give: () => new Response(endless(boom)), method: "HEAD", seen: [200, ""], told: [] },
  "/stream/chunk": {
    give: () => chunks(5),
    seen: CUT_OFF,
    told: ["handler: the body of a response failed: a chunk of a body must be bytes or a string, not 5"],
  },
  "/stream/chunk/revoked": {
    give: () => chunks(revoked()),
    seen: CUT_OFF,
    told: ["handler: the body of a response failed: Proxy has already been revoked. No more operations are allowed to be performed on it"],
  },
  "/stream/chunk/inspect": {
    give: () => chunks({ [Bun.inspect.custom]: boom }),
    seen: CUT_OFF,
    told: ["handler: the body of a response failed: a chunk of a body must be bytes or a string, not a value that cannot be shown"],
  },
  // What a handler puts over a stream's methods has no effect, as in Bun.serve().
  "/stream/getReader": { give: () => new Response(booming(short(), "getReader")), seen: [200, "well"], told: [] },
  "/stream/reader": { give: () => new Response(Object.assign(short(), { getReader: () => ({}) }) as ReadableStream), seen: [200, "well"], told: [] },
  "/stream/cancel/own": { give: () => new Response(booming(short(), "cancel")), method: "HEAD", seen: [200, ""], told: [] },
  "/stream/locked": {
    give: () => {
      const stream = endless(() => {});
      const response = new Response(stream);
      stream.getReader();
      return response;
    },
    told: ["handler: a handler failed: the body of this Response is in use: a stream can be sent once"],
  },

  // ------------------------------------------------------------------------------------------------------------------- iterators
  "/iterator/asks": { give: () => ({ [Symbol.asyncIterator]: boom }) },
  "/iterator/next": { give: () => iterable(boom), seen: CUT_OFF, told: BODY_FAILED, unseen: true },
  "/iterator/next/rejects": { give: () => iterable(async () => boom()), seen: CUT_OFF, told: BODY_FAILED, unseen: true },
  "/iterator/value": { give: () => iterable(async () => guarded({ done: false }, "value")), seen: CUT_OFF, told: BODY_FAILED, unseen: true },
  "/iterator/return": { give: () => iterable(async () => ({ done: false, value: (await Bun.sleep(1), "x") }), boom), aborts: true, told: [] },
  "/generator/finally": {
    give: async function* () {
      try {
        for (;;) yield (await Bun.sleep(1), "x");
      } finally {
        boom();
      }
    },
    aborts: true,
    told: [],
  },

  // -------------------------------------------------------------------------------------------------------------- direct streams
  "/direct/pull": { give: () => streaming({ type: "direct", pull: boom } as never), seen: CUT_OFF, told: BODY_FAILED },
  "/direct/pull/rejects": { give: () => streaming({ type: "direct", pull: async () => boom() } as never), seen: CUT_OFF, told: BODY_FAILED },
  "/direct/then": { give: () => streaming({ type: "direct", pull: () => guarded({}, "then") } as never), seen: CUT_OFF, told: BODY_FAILED },
  "/direct/cancel": {
    give: () =>
      streaming({
        type: "direct",
        async pull(controller: { write(text: string): unknown; flush(): unknown }) {
          controller.write("x");
          controller.flush();
          await new Promise(() => {});
        },
        cancel: boom,
      } as never),
    aborts: true,
    told: [],
  },

  // -------------------------------------------------------------------------------------------------------------------- trailers
  "/trailers": { give: () => withTrailers(new Response("x"), boom), seen: CUT_OFF, told: BODY_FAILED },
  "/trailers/rejects": { give: () => withTrailers(new Response("x"), Promise.reject(new Error("on purpose"))), seen: CUT_OFF, told: BODY_FAILED },
  "/trailers/then": { give: () => withTrailers(new Response("x"), () => thenable(boom) as never), seen: CUT_OFF, told: BODY_FAILED },
  "/trailers/getter": { give: () => withTrailers(new Response("x"), () => Object.defineProperty({}, "a", { get: boom, enumerable: true })), seen: CUT_OFF, told: BODY_FAILED },

  // ------------------------------------------------------------------------------------------------------------ the request's body
  "/body/locked": { give: (request) => (guarded(request.body!, "locked"), new Response("well")), uploads: true, seen: [200, "well"], told: [] },
  "/body/stream/locked": { give: (request) => (guarded(request.body!, "locked"), chunks("well")), uploads: true, seen: [200, "well"], told: [] },
  "/body/cancel": { give: (request) => (booming(request.body!, "cancel", "getReader"), new Response("well")), uploads: true, seen: [200, "well"], told: [] },
  "/body/sink": {
    give: async (request) => {
      await request.body!.pipeTo(new WritableStream({ write: boom }));
      return new Response("not written");
    },
    uploads: true,
  },
  "/body/transform": { give: (request) => new Response(request.body!.pipeThrough(new TransformStream({ transform: boom }))), uploads: true, seen: CUT_OFF, told: BODY_FAILED },
  "/body/read": {
    give: async (request) => {
      for await (const _ of request.body!) boom();
      return new Response("not read");
    },
    uploads: true,
  },

  // ----------------------------------------------------------------------------------------------------------------- the request
  "/request/listener": {
    give: (request) => {
      request.signal.addEventListener("abort", boom);
      return new Response(endless(() => {}));
    },
    aborts: true,
    told: [],
    uncaught: ["on purpose"],
  },
  "/request/onabort": {
    give: (request) => {
      request.signal.onabort = boom;
      return new Response(endless(() => {}));
    },
    aborts: true,
    told: [],
    uncaught: ["on purpose"],
  },
  "/request/cookies": {
    give: (request) => {
      request.cookies.set("a", "x".repeat(70_000));
      return new Response("x");
    },
    told: ["handler: a handler failed: the headers of a response are larger than 64 KiB"],
  },
};

/** What error() makes of it: the client sees the plain 500, and is told of both failures. */
export const HOOKS: Readonly<Record<string, () => unknown>> = {
  "/throws": boom,
  "/rejects": async () => boom(),
  "/then/getter": () => guarded({}, "then"),
  "/then/throws": () => thenable(boom),
  "/status": () => guarded(new Response("x"), "status"),
  "/headers": () => guarded(new Response("x"), "headers"),
  "/iterator": () => guarded({}, Symbol.asyncIterator),
};

/** What a hook that nobody waits for does: messages, datagrams. */
export const UNWATCHED: Readonly<Record<string, () => unknown>> = {
  throws: boom,
  rejects: async () => boom(),
  "then/getter": () => guarded({}, "then"),
  "then/throws": () => thenable(boom),
  "then/rejects": () => thenable((_, reject) => reject(new Error("on purpose"))),
  "then/rejects-later": () => thenable((_, reject) => setTimeout(() => reject(new Error("on purpose")), 1)),
};

/** Options of accept() that throw when they are looked at. */
export const ACCEPTS: Readonly<Record<string, () => object>> = {
  "accept/protocol": () => guarded({}, "protocol"),
  "accept/headers": () => guarded({}, "headers"),
  "accept/header": () => ({ headers: Object.defineProperty({}, "a", { get: boom, enumerable: true }) }),
  "accept/iterator": () => ({ headers: { [Symbol.iterator]: boom } }),
};

/** Answers of reject() that do. */
export const REJECTS: Readonly<Record<string, () => Response>> = {
  "reject/status": () => guarded(new Response("x", { status: 403 }), "status"),
  "reject/headers": () => guarded(new Response("x", { status: 403 }), "headers"),
};

/** What user code can put in everybody's way: sets it, and says how to take it back. */
export const POLLUTIONS: Readonly<Record<string, () => () => void>> = {
  ...Object.fromEntries(
    (
      [
        ["Object.prototype, a function", Object.prototype, "polluted", { value: () => 1 }],
        ["Object.prototype, a string", Object.prototype, "zzz", { value: "on purpose" }],
        ["Object.prototype, a getter", Object.prototype, "guarded", { get: boom }],
        ["Array.prototype, a function", Array.prototype, "polluted", { value: () => 1 }],
        ["Array.prototype, a getter", Array.prototype, "guarded", { get: boom }],
      ] as const
    ).map(([name, of, key, what]) => [
      `kept ${name}`,
      () => {
        Object.defineProperty(of, key, { ...what, enumerable: true, configurable: true });
        return () => void delete (of as unknown as Record<string, unknown>)[key];
      },
    ]),
  ),
  ...Object.fromEntries(
    (
      [
        [Array.prototype, Symbol.iterator],
        [Map.prototype, "get"],
        [Map.prototype, "set"],
        [Map.prototype, "delete"],
        [Set.prototype, "has"],
        [Promise.prototype, "then"],
        [Promise.prototype, "catch"],
        [Object.getPrototypeOf(Uint8Array.prototype) as object, "slice"],
        [Object.getPrototypeOf(Uint8Array.prototype) as object, "subarray"],
        [String.prototype, "substring"],
        [Headers.prototype, "get"],
        [Headers.prototype, "toJSON"],
        [Response.prototype, "bytes"],
        [ReadableStream.prototype, "getReader"],
        [Function.prototype, "call"],
        [Blob.prototype, "stream"],
        [performance, "now"],
        [globalThis, "queueMicrotask"],
        [globalThis, "setImmediate"],
      ] as const
    ).map(([of, key]) => [
      `${of.constructor === Object ? "globalThis" : of.constructor.name}.${String(key)}`,
      () => {
        const was = Object.getOwnPropertyDescriptor(of, key);
        Object.defineProperty(of, key, was?.configurable === false ? { value: boom } : { value: boom, configurable: true, writable: true });
        return () => (was === undefined ? void delete (of as never)[key] : void Object.defineProperty(of, key, was));
      },
    ]),
  ),
};
