/** The routes of a server, and which comes first. */
import type { Route, Unmatched } from "./route.ts";

/** All routes of a server. */
export class RouteTable {
  readonly routes: readonly Route[];

  /** @throws TypeError when two routes match the same requests */
  constructor(routes: readonly Route[]) {
    const taken = new Map<string, Route>();
    for (const route of routes) {
      const other = taken.get(route.key);
      if (other !== undefined) {
        const method = route.method === "" ? "any method" : route.method;
        throw new TypeError(`routes "${other.pattern}" and "${route.pattern}" match the same paths, both for ${method}`);
      }
      taken.set(route.key, route);
    }
    this.routes = [...routes].sort(precedence);
  }

  /**
   * Finds a route as the engine does: needed only after a reload took routes away that the engine still knows.
   * @param target :path, query included or not
   */
  match(method: string, target: string): Route | Unmatched {
    const path = target.split("?", 1)[0]!;
    const allowed = new Set<string>();
    // Where the exact method, GET for HEAD and any method stand at one pattern, they win in this order.
    let found: Route | undefined;
    for (const route of this.routes) {
      if (route.webtransport !== undefined || !route.matches(path)) continue;
      if (found !== undefined) {
        if (sameShape(found, route) && route.method === method) return route;
        continue;
      }
      if (route.takes(method)) {
        if (route.method === method) return route;
        found = route;
      } else {
        allowed.add(route.method);
        if (route.method === "GET") allowed.add("HEAD");
      }
    }
    if (found !== undefined) return found;
    return { status: allowed.size > 0 ? 405 : 404, allow: [...allowed].sort().join(", ") };
  }

  /** Finds the route of a session, as match() does that of a request. */
  matchSession(target: string): Route | undefined {
    const path = target.split("?", 1)[0]!;
    return this.routes.find((route) => route.webtransport !== undefined && route.matches(path));
  }
}

function sameShape(a: Route, b: Route): boolean {
  return a.key.slice(a.method.length) === b.key.slice(b.method.length);
}

/** Literals before parameters before wildcards, segment by segment; methods of their own before any method. */
function precedence(a: Route, b: Route): number {
  for (let i = 0; i < a.segments.length && i < b.segments.length; i++) {
    const order = a.segments[i]!.kind - b.segments[i]!.kind;
    if (order !== 0) return order;
  }
  return Number(a.method === "") - Number(b.method === "");
}
