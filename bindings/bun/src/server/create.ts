/** Makes servers. */
import { recognized } from "../common/recognized.ts";
import { H3Error } from "../native/errors.ts";
import { H3Request } from "./api/request.ts";
import type { H3Server as Shown, H3ServerOptions, RouteDefinition } from "./api/types.ts";
import { keptOrMade } from "./hot.ts";
import { H3Server as Implementation } from "./server.ts";

recognized(H3Error, "H3Error");
recognized(H3Request, "H3Request");
recognized(Implementation, "H3Server");

/** What createH3Server() gives, as a type. */
export type H3Server = Shown;

/**
 * What createH3Server() gives, as a class: for `instanceof`, and `new H3Server(options)` makes one, too.
 * @throws as createH3Server()
 */
export const H3Server: { new (options: H3ServerOptions): H3Server; readonly prototype: H3Server } = Implementation;

/** As below, with routes as a list. */
export function createH3Server(options: H3ServerOptions & { routes: readonly RouteDefinition[] }): H3Server;
/**
 * Makes an HTTP/3 server and starts it: Bun.serve() for HTTP/3.
 *
 *     const server = createH3Server({
 *       port: 4433,
 *       routes: { "/hello/:name": (request) => new Response(`hello ${request.params.name}`) },
 *       fetch: () => new Response("nothing here", { status: 404 }),
 *     });
 *
 * @throws TypeError or RangeError that names a wrong option
 * @throws H3Error when the certificate cannot be used, or the address cannot be bound (EADDRINUSE, EACCES, …)
 */
export function createH3Server<Path extends string = string>(options: H3ServerOptions<Path>): H3Server;
export function createH3Server(options: H3ServerOptions<never>): H3Server {
  return keptOrMade(options as H3ServerOptions, () => new H3Server(options as H3ServerOptions));
}

