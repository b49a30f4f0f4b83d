/** Responses that are not of this realm's class: another realm's, or another library's. */

const Native = Response;
const statusOf = Object.getOwnPropertyDescriptor(Response.prototype, "status")!.get!;

/** Statuses that have no body. */
const BODILESS = [204, 205, 304];

/** What Response has in every library. */
interface Foreign {
  status: unknown;
  headers: Iterable<[string, string]>;
  body?: unknown;
  arrayBuffer(): Promise<ArrayBuffer>;
}

/** A Response, of whichever realm or library, as a native one; undefined for anything else. Throws what looking at it throws. */
export function asResponse(value: unknown): Response | undefined {
  if (value instanceof Native) return value;
  if (typeof value !== "object" || value === null) return undefined;
  try {
    statusOf.call(value);
    return value as Response; // native, of another realm
  } catch {
    return looksLikeOne(value) ? made(value) : undefined;
  }
}

function looksLikeOne(value: object): value is Foreign {
  const { status, headers, arrayBuffer } = value as Partial<Foreign>;
  if (typeof status !== "number" || typeof arrayBuffer !== "function") return false;
  return typeof headers === "object" && headers !== null && Symbol.iterator in headers;
}

function made(foreign: Foreign): Response {
  const status = foreign.status as number;
  const body = foreign.body === null || BODILESS.includes(status) ? null : chunks(foreign);
  return new Native(body as ReadableStream | null, { status, headers: [...foreign.headers] });
}

/** The body: as its stream has it, where it has one. */
async function* chunks(foreign: Foreign): AsyncGenerator<unknown> {
  const stream = foreign.body as ReadableStream | undefined;
  if (typeof stream?.getReader !== "function") {
    yield new Uint8Array(await foreign.arrayBuffer());
    return;
  }
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel();
  }
}
