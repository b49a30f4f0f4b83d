/** The Request that a handler gets. */
import type { LogRecord } from "../../common/log.ts";

/** The parameters of a pattern: `"/users/:id/*"` has `id` and `"*"`. */
export type Params<Path extends string> = string extends Path
  ? Record<string, string>
  : Path extends `${infer Head}/${infer Tail}`
    ? Params<Head> & Params<Tail>
    : Path extends `:${infer Name}`
      ? { readonly [K in Name]: string }
      : Path extends "*"
        ? { readonly "*": string }
        : {};

/** Bun's map of cookies: what a handler sets in it goes out with the response. */
type Cookies = Bun.CookieMap;

/** The map's own, whatever a handler puts over it. */
const { toSetCookieHeaders } = Bun.CookieMap.prototype;

/** The native class, without what is a property there and made on demand here. */
const NativeRequest = Request as unknown as new (
  input: string | Request,
  init?: RequestInit,
) => Omit<Request, "signal" | "clone">;

/** What a request is made of, and stays: handlers may put what they like over `method` and `url` of the object. */
interface Head {
  readonly method: string;
  readonly url: string;
  /** :path as it came, query included. */
  readonly path: string;
  /** The native class would call the method GET. */
  readonly unknownMethod: boolean;
}

/** What a request must know of its route. */
interface RequestRoute {
  readonly pattern: string;
  /** The route has nothing of its own: `fetch` answers. */
  readonly leftToFetch: boolean;
  /** The parameters in a path. */
  params(target: string): Record<string, string>;
}

interface Aborter {
  controller: AbortController | undefined;
  reason: unknown;
}

/**
 * A native Request, with what Bun.serve() adds to it.
 *
 * What few handlers ask for is made when they do: the parameters of the route, the cookies, and the signal. The signal is therefore
 * this object's own: `new Request(request)` and `fetch(request)` do not inherit it; pass `{ signal: request.signal }`.
 */
export class H3Request<Path extends string = string> extends NativeRequest {
  #head: Head;
  #route: RequestRoute;
  #conn: number;
  #aborter: Aborter | undefined;
  #params: Record<string, string> | undefined;
  #cookies: Cookies | undefined;

  /** @internal */
  constructor(input: string | Request, init: RequestInit | undefined, head: Head, route: RequestRoute, conn: number) {
    super(input, init);
    this.#head = head;
    this.#route = route;
    this.#conn = conn;
    if (head.unknownMethod) Object.defineProperty(this, "method", { value: head.method, enumerable: true });
  }

  /** The route's parameters, each decoded once; `"*"` is what the wildcard stands for. Without a route there are none. */
  get params(): Params<Path> {
    return (this.#params ??= this.#route.params(this.#head.path)) as unknown as Params<Path>;
  }

  /** The request's cookies. Those that the handler sets or deletes here go out with its response. As in Bun.serve(). */
  get cookies(): Cookies {
    return (this.#cookies ??= new Bun.CookieMap(this.headers.get("cookie") ?? ""));
  }

  /** Aborts when the client gives the request up or its connection is lost before the response was complete. */
  get signal(): AbortSignal {
    const aborter = (this.#aborter ??= { controller: undefined, reason: undefined });
    if (aborter.controller === undefined) {
      aborter.controller = new AbortController();
      if (aborter.reason !== undefined) aborter.controller.abort(aborter.reason);
    }
    return aborter.controller.signal;
  }

  /** A copy whose body can be read apart from this one's. It has the same parameters and signal. */
  clone(): H3Request<Path> {
    const copy = new H3Request<Path>(Request.prototype.clone.call(this) as Request, undefined, this.#head, this.#route, this.#conn);
    copy.#aborter = this.#aborter ??= { controller: undefined, reason: undefined };
    copy.#params = this.#params;
    return copy;
  }

  /** Whether it is a request of this very run: see recognized(). @internal */
  static own(request: unknown): request is H3Request {
    return typeof request === "object" && request !== null && #conn in request;
  }

  /** Aborts the signal, also one that is made later. @internal */
  static abort(request: H3Request, reason: unknown): void {
    const aborter = (request.#aborter ??= { controller: undefined, reason: undefined });
    aborter.reason = reason;
    aborter.controller?.abort(reason);
  }

  /** The method that it came with. @internal */
  static method(request: H3Request): string {
    return request.#head.method;
  }

  /** What a message says of it. Runs no code of a handler's. @internal */
  static about(request: H3Request): Required<Pick<LogRecord, "route" | "method" | "url">> {
    const { method, url } = request.#head;
    const route = request.#route;
    return { route: route.leftToFetch ? "fetch" : route.pattern, method, url };
  }

  /** The handle of the connection that the request came on. @internal */
  static connection(request: H3Request): number {
    return request.#conn;
  }

  /** The set-cookie fields that the handler's use of `cookies` amounts to. @internal */
  static setCookies(request: H3Request): string[] | undefined {
    return request.#cookies === undefined ? undefined : toSetCookieHeaders.call(request.#cookies);
  }
}
