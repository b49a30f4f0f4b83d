/** Routes whose answer is a Response or a file, the same for every request. */
import { bytesOfBody, copyOf } from "../../common/native_body.ts";
import { peek } from "../../common/peek.ts";
import { BODY, bodyKind } from "../../http/body_kind.ts";
import { guessContentType } from "../../http/content_type.ts";
import { asResponse } from "../../common/foreign_response.ts";
import { isFile, isThere, isWhole, wholeFile } from "../../http/file_slice.ts";
import { LARGEST_WHOLE } from "../../http/outgoing_bytes.ts";
import { blobAtHand, bytesAtHand, packResponse, type StaticResponse } from "../../http/static_response.ts";
import { trailersOf, withTrailers, type Trailers } from "../../http/trailers.ts";
import type { RouteHandler } from "./route.ts";

/** What answers at a path or a method. */
export interface Answering {
  handler: RouteHandler;
  /** What the handler gives, where that is always the same. */
  packed?: StaticResponse | undefined;
}

/**
 * What answers by what stands at a path or a method; undefined when it is neither a function nor a Response nor a file.
 * @throws TypeError for a Response that cannot be sent again and again
 */
export function asHandler(pattern: string, value: unknown): Answering | undefined {
  if (typeof value === "function") return { handler: value as RouteHandler };
  const response = value instanceof Blob ? new Response(value) : asResponse(value);
  return response === undefined ? undefined : ofResponse(pattern, response);
}

function ofResponse(pattern: string, value: Response): Answering {
  if (value.bodyUsed) throw new TypeError(`route "${pattern}": the body of the Response is used`);
  if (value.status < 200 || value.status > 599) {
    throw new TypeError(`route "${pattern}": the status ${value.status} of the Response is not within 200 to 599`);
  }
  const body = blobAtHand(value); // before anything else looks at the response: see wholeFile()
  if (body === undefined) {
    throw new TypeError(`route "${pattern}": the body of a static Response must not be a stream, which can be sent only once`);
  }
  const trailers = trailersOf(value);
  return isFile(body) ? { handler: fileHandler(body, value, trailers) } : staticHandler(shareable(copyOf(value)), trailers);
}

/**
 * The same response, with a content-type, which HEAD is told then, too. A large body becomes a Blob, which all clones have in common; bytes
 * that were cloned are one already.
 */
function shareable(response: Response): Response {
  const whole = bodyKind(response) === BODY.BYTES;
  const bytes = whole ? peek(bytesOfBody(copyOf(response))) : bytesAtHand(response, LARGEST_WHOLE);
  if (bytes === undefined || bytes instanceof Promise || bytes.length === 0) return response;
  if (!response.headers.has("content-type")) response.headers.set("content-type", guessContentType(bytes));
  return bytes.length <= LARGEST_WHOLE ? response : new Response(new Blob([bytes]), response);
}

/** Gives the same response again and again. */
function staticHandler(template: Response, trailers?: Trailers): Answering {
  return {
    handler: () => again(copyOf(template), trailers),
    packed: trailers === undefined ? packResponse(template) : undefined,
  };
}

function again(response: Response, trailers: Trailers | undefined): Response {
  return trailers === undefined ? response : withTrailers(response, trailers);
}

/** Gives a file as it is at each request. One that is not there, or no more, leaves the path to `fetch`, as in Bun.serve(). */
function fileHandler(file: Bun.BunFile, like: { status?: number; headers?: Headers }, trailers?: Trailers): RouteHandler {
  const init = { status: like.status ?? 200, headers: new Headers(like.headers) };
  const make = isWhole(file) ? () => wholeFile(file, init) : () => new Response(file, init);
  return async (request, server) => {
    if (await isThere(file)) return again(make(), trailers);
    return server.fallback?.call(server, request, server) ?? new Response(null, { status: 404 });
  };
}
