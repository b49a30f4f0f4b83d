/** A server to misuse. It prints its port; at each line of input, once all is quiet, what it holds, as JSON. */
import { readdirSync } from "node:fs";
import { createH3Server } from "../../../bindings/bun/src/index.ts";

const part = new Uint8Array(64 << 10);

const server = createH3Server({
  port: 0,
  hostname: "127.0.0.1",
  idleTimeout: 1,
  maxRequestBodySize: 1 << 20,
  routes: {
    "/echo": { POST: (request: Request) => new Response(request.body) },
    "/upload": { POST: async (request: Request) => new Response(String((await request.bytes()).length)) },
    "/bytes/:n": (request) => {
      let left = Number(request.params.n);
      const body = new ReadableStream<Uint8Array>({
        pull(controller) {
          controller.enqueue(part.slice(0, left));
          if ((left -= part.length) <= 0) controller.close();
        },
      });
      return new Response(body);
    },
    "/slow": async () => {
      await Bun.sleep(20);
      return new Response("slept");
    },
    "/throw": () => {
      throw new Error("thrown on purpose");
    },
  },
  fetch: (request) => new Response(request.url),
});
console.log(server.port);

for await (const line of console) {
  if (line === "end") break;
  while (server.stats().connections_active! > 0) await Bun.sleep(10);
  Bun.gc(true);
  const { requests_active, requests_total, handshakes_pending } = server.stats();
  const { exchanges, connections } = server.dispatcher;
  const held = { requests_active, handshakes_pending, exchanges: exchanges.size, connections: connections.size };
  console.log(JSON.stringify({ requests_total, held, descriptors: readdirSync("/proc/self/fd").length }));
}
await server.close();
process.exit(0);
