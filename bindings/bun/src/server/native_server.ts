/** The calls that make a server on the C side. */
import { SERVER_CONFIG, SERVER_CONFIG_SIZE, ROUTE_FLAG } from "../native/layout.ts";
import { check, library } from "../native/library.ts";
import { addressOf, scratch } from "../native/memory.ts";
import type { Checked } from "./options/options.ts";
import type { Route } from "./routes/route.ts";

/** Bytes as a C string. */
function cString(text: string): Uint8Array {
  return Buffer.from(text + "\0", "utf8");
}

/**
 * Makes a server that delivers to `queue`. Returns its handle.
 * @throws H3Error that names the option or file that is wrong
 */
export function newServer(queue: number, options: Checked): number {
  const memory = scratch();
  const { hostname, certPath, keyPath } = options;
  const texts = {
    hostname: hostname === undefined ? null : cString(hostname),
    cert_path: certPath === undefined ? null : cString(certPath),
    key_path: keyPath === undefined ? null : cString(keyPath),
    options: Buffer.from(options.engine, "utf8"),
  };
  const config = new DataView(new ArrayBuffer(SERVER_CONFIG_SIZE));
  config.setUint32(SERVER_CONFIG.size, SERVER_CONFIG_SIZE, true);
  config.setUint16(SERVER_CONFIG.port, options.port, true);
  // Addresses of arrays: taken and used up within this function, which makes nothing that a collection could move meanwhile.
  for (const field of ["hostname", "cert_path", "key_path", "options"] as const) {
    const text = texts[field];
    if (text !== null) config.setBigUint64(SERVER_CONFIG[field], BigInt(addressOf(text)), true);
  }
  config.setBigUint64(SERVER_CONFIG.options_len, BigInt(texts.options.length), true);
  check(library().zig_h3_server_new(new Uint8Array(config.buffer), queue, memory.results));
  return memory.u64(0);
}

/** What the engine must know of a route beside its method and pattern. */
export function routeFlags(route: Route): number {
  return (
    (route.buffered ? ROUTE_FLAG.BUFFERED : 0) |
    (route.h3Datagram === undefined ? 0 : ROUTE_FLAG.DATAGRAM) |
    (route.webtransport === undefined ? 0 : ROUTE_FLAG.WEBTRANSPORT)
  );
}

/**
 * Adds a route whose requests carry `index` as user data.
 * @param replaces it takes the place of one that matches the same
 * @throws H3Error when the engine does not take the pattern
 */
export function addRoute(server: number, route: Route, index: number, replaces: boolean): void {
  tellRoute(server, route, routeFlags(route) | (replaces ? ROUTE_FLAG.REPLACE : 0), index);
}

/**
 * Takes a route away. Requests that it was found for may still come.
 * @throws H3Error when the engine cannot
 */
export function removeRoute(server: number, route: Route): void {
  tellRoute(server, route, routeFlags(route) | ROUTE_FLAG.REMOVE, 0);
}

function tellRoute(server: number, route: Route, flags: number, index: number): void {
  const method = route.method === "" ? 0 : cString(route.method);
  check(library().zig_h3_server_route(server, method, cString(route.pattern), flags, index, 0));
}
