/** One route: its pattern, and what it does. The engine matches; this side decodes parameters. */
import type { StaticResponse } from "../../http/static_response.ts";
import type { OriginCheck } from "../api/origins.ts";
import type { H3Request } from "../api/request.ts";
import type { H3DatagramHandler, H3Server, Handler, SessionHandler } from "../api/types.ts";

/** RFC 9110, 5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** A part of a pattern between two slashes, in the order of precedence. */
const LITERAL = 0;
const PARAM = 1;
const WILDCARD = 2;

interface Segment {
  kind: typeof LITERAL | typeof PARAM | typeof WILDCARD;
  /** The literal, decoded, or the parameter's name. */
  text: string;
}

/** A server as handlers that are made here see it. */
export interface RouteOwner extends H3Server {
  /** What answers where no route does. */
  readonly fallback: Handler | undefined;
}

/** Answers a request: a user's Handler, or one that is made here. */
export type RouteHandler = (this: RouteOwner, request: H3Request, server: RouteOwner) => ReturnType<Handler>;

/** What a route has beside its handler. */
export interface RouteExtras {
  /** What the handler always gives, where that is known: then it need not be called. */
  packed?: StaticResponse | undefined;
  /** Takes the datagrams of its requests. */
  h3Datagram?: H3DatagramHandler | undefined;
  /** Takes sessions; then the route takes nothing else. */
  webtransport?: SessionHandler | undefined;
  /** Who may open them, where the server's own rule does not hold. */
  origins?: OriginCheck | undefined;
}

/** One method of one pattern, and what answers it. */
export class Route {
  /** What the path is made of. @internal */
  readonly segments: readonly Segment[];
  /** See RouteExtras. */
  readonly packed: StaticResponse | undefined;
  /** See RouteExtras. */
  readonly h3Datagram: H3DatagramHandler | undefined;
  /** See RouteExtras. */
  readonly webtransport: SessionHandler | undefined;
  /** See RouteExtras. */
  readonly origins: OriginCheck | undefined;

  /**
   * @param method empty: any
   * @param handler null: what `fetch` answers
   * @param buffered the handler waits for the whole body
   * @throws TypeError when method or pattern is none
   */
  constructor(
    readonly method: string,
    readonly pattern: string,
    readonly handler: RouteHandler | null,
    readonly buffered: boolean,
    extras: RouteExtras = {},
  ) {
    if (method !== "" && !TOKEN.test(method)) {
      throw new TypeError(`route "${pattern}": the method ${JSON.stringify(method)} is no token`);
    }
    // "get" would be a method of its own, which no client sends.
    if (method !== method.toUpperCase()) throw new TypeError(`route "${pattern}": the method "${method}" must be in upper case`);
    this.segments = parsePattern(pattern);
    this.packed = extras.packed;
    this.h3Datagram = extras.h3Datagram;
    this.webtransport = extras.webtransport;
    this.origins = extras.origins;
  }

  /** The same for all routes that the engine cannot tell apart. */
  get key(): string {
    return `${this.webtransport === undefined ? this.method : "webtransport"} ${this.segments.map((s) => (s.kind === LITERAL ? "=" + encodeURIComponent(s.text) : s.kind)).join("/")}`;
  }

  /** It has nothing of its own: its requests go to `fetch`. */
  get leftToFetch(): boolean {
    return this.handler === null && this.webtransport === undefined;
  }

  /** The parameters in a path that this route matched (query included or not). What `fetch` answers has none, as in Bun.serve(). */
  params(target: string): Record<string, string> {
    const params = Object.create(null) as Record<string, string>;
    if (this.leftToFetch) return params;
    const query = target.indexOf("?");
    const path = query < 0 ? target : target.substring(0, query);
    let at = 1;
    for (const segment of this.segments) {
      if (segment.kind === WILDCARD) {
        params["*"] = decode(path.substring(at));
        break;
      }
      let end = path.indexOf("/", at);
      if (end < 0) end = path.length;
      if (segment.kind === PARAM) params[segment.text] = decode(path.substring(at, end));
      at = end + 1;
    }
    return params;
  }

  /** Whether this route's pattern matches a path without query. */
  matches(path: string): boolean {
    const parts = path.substring(1).split("/");
    for (let i = 0; i < this.segments.length; i++) {
      const segment = this.segments[i]!;
      if (segment.kind === WILDCARD) return true;
      const part = parts[i];
      if (part === undefined) return false;
      if (segment.kind === PARAM ? part === "" : decode(part) !== segment.text) return false;
    }
    return parts.length === this.segments.length;
  }

  /** Whether this route answers a method. */
  takes(method: string): boolean {
    return this.method === "" || this.method === method || (method === "HEAD" && this.method === "GET");
  }
}

/** What no route of a table answers: with which status, and for 405 which methods there are. */
export interface Unmatched {
  status: 404 | 405;
  allow: string;
}

/** The rules of the engine, so that what is wrong is said in the same words wherever it is given. */
function parsePattern(pattern: string): Segment[] {
  if (pattern === "") throw new TypeError('route "": the pattern is empty');
  if (!pattern.startsWith("/")) throw new TypeError(`route "${pattern}": a pattern begins with "/"`);
  if (!pattern.isWellFormed()) throw new TypeError(`route ${JSON.stringify(pattern)}: the pattern holds half a surrogate pair`);
  if (/[\x00-\x20\x7f]/.test(pattern)) throw new TypeError(`route ${JSON.stringify(pattern)}: the pattern holds a space or a control character`);
  if (/[?#]/.test(pattern)) throw new TypeError(`route "${pattern}": a pattern has no query`);
  const names = new Set<string>();
  const parts = pattern.slice(1).split("/");
  return parts.map((part, i): Segment => {
    if (part === "*") {
      if (i !== parts.length - 1) throw new TypeError(`route "${pattern}": "*" must be the last segment`);
      return { kind: WILDCARD, text: "*" };
    }
    if (part.includes("*")) throw new TypeError(`route "${pattern}": "*" must be a whole segment`);
    if (part.startsWith(":")) {
      const name = part.slice(1);
      if (name === "") throw new TypeError(`route "${pattern}": a parameter has no name`);
      if (names.has(name)) throw new TypeError(`route "${pattern}" names the parameter "${name}" twice`);
      names.add(name);
      return { kind: PARAM, text: name };
    }
    if (/%(?![0-9A-Fa-f]{2})|%00/.test(part)) throw new TypeError(`route "${pattern}": "${part}" is not percent-encoded text`);
    return { kind: LITERAL, text: decode(part) };
  });
}

/** Decodes percent-encoded text once; bytes that are no UTF-8 become U+FFFD, as in Bun.serve(). */
function decode(text: string): string {
  if (!text.includes("%")) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    const bytes = Buffer.from(text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16))), "latin1");
    return bytes.toString("utf8");
  }
}
