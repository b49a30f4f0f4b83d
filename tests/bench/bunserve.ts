// Bun's own HTTP/3, for the benchmark.
import { routes, tls } from "./handler.ts";

const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  http3: true,
  http1: false,
  tls,
  routes,
  fetch: () => new Response("not found", { status: 404 }),
} as Parameters<typeof Bun.serve>[0]);
console.log("ready", server.port);
