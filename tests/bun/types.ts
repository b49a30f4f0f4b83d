/**
 * What users write compiles, and what cannot be does not. Nothing here is ever run: tsc, in the suite `lint`, is the test.
 */
import { createH3Server, withTrailers, type H3Request, type H3Server, type H3ServerOptions, type Handler } from "../../bindings/bun/src/index.ts";

const plain = (request: Request): Response => new Response(request.url);
const later = async (request: Request): Promise<Response> => new Response(await request.text());
const bun = (request: Bun.BunRequest<"/users/:id">): Response => new Response(request.params.id);
const app = { fetch: (request: Request, environment?: unknown): Response => new Response(`${request.url} ${environment}`) };
const options: H3ServerOptions = { fetch: plain, tls: { cert: "", key: Buffer.from("") }, port: "443" };
const handlers: Record<string, Handler> = { "/a": plain };

/** Handlers that were written for Bun.serve(), or for any server of Requests. */
export function fromElsewhere(): H3Server[] {
  return [
    createH3Server(options),
    createH3Server({ fetch: later }),
    createH3Server({ fetch: app.fetch }),
    createH3Server({ routes: handlers }),
    createH3Server({ routes: { "/plain": plain, "/users/:id": bun, "/static": new Response(""), "/file": Bun.file(""), "/none": false } }),
    createH3Server({ routes: { "/methods": { GET: plain, POST: later, PUT: new Response(""), DELETE: Bun.file("") } } }),
    createH3Server({ fetch: plain, error: (error) => Response.json({ error: error.message }) }),
    createH3Server({ fetch: plain, error: (error) => void error.stack }),
    createH3Server({ fetch: plain, tls: [{ cert: Bun.file(""), key: [Bun.file("")], serverName: "a.example" }] as const }),
  ];
}

/** Parameters are known from the pattern, in routes as an object; `this` and the second argument are the server. */
export function parameters(): H3Server {
  const server = createH3Server({
    routes: {
      "/of/:one/:two": (request) => new Response(request.params.one + request.params.two),
      "/rest/*": (request) => new Response(request.params["*"]),
      "/sessions/:room": { webtransport: (session, request) => (void session.accept(), request.params.room satisfies string) },
      "/generated": async function* () {
        yield "text";
        yield new Uint8Array(1);
      },
      // @ts-expect-error there is no such parameter
      "/wrong/:one": (request) => new Response(request.params.other),
    },
    fetch(request, server) {
      return new Response(`${server.requestIP(request)?.address} ${this.id}`);
    },
  });
  return server.reload({ routes: { "/new/:name": (request) => new Response(request.params.name) } });
}

/** Routes as a list: handlers need no types there, either. */
export function list(): H3Server {
  const server = createH3Server({
    routes: [
      { pattern: "/:id", mode: "buffered", fetch: (request) => new Response(request.params.id) },
      { method: "POST", pattern: "/datagrams", fetch: plain, h3Datagram: (payload, context) => context.send(payload) },
      { pattern: "/sessions", webtransport: (session, request) => session.reject(request.url === "" ? 404 : 403) },
    ],
  });
  return server.reload({ routes: [{ pattern: "/", fetch: (request) => withTrailers(new Response(request.method), { sum: "1" }) }] });
}

/** A handler's Request is one of the platform's. */
export function request(given: H3Request): Request {
  given.cookies.set("name", "value");
  given.signal.addEventListener("abort", () => given.clone().params);
  return given;
}

/** What is refused. */
export function refused(): void {
  // @ts-expect-error there is no such option
  createH3Server({ fetch: plain, maxBanana: 1 });
  // @ts-expect-error a string is no Response
  createH3Server({ fetch: () => "text" });
  // @ts-expect-error what has no handler is no route
  createH3Server({ routes: { "/": null } });
}
