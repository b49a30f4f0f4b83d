/**
 * A server to misuse. It prints its port; at the line "held" what it holds, as JSON; at "rest" the same, once that is nothing or time
 * has shown that it stays.
 */
import { readdirSync } from "node:fs";
import { createH3Server } from "../../../bindings/bun/src/index.ts";
import type { H3Server as Behind } from "../../../bindings/bun/src/server/server.ts";
import { echo } from "../../interop/sessions.ts";

const part = new Uint8Array(64 << 10);

const server = createH3Server({
  port: 0,
  hostname: "127.0.0.1",
  idleTimeout: Number(process.env.IDLE_TIMEOUT ?? 1),
  maxRequestBodySize: 1 << 20,
  quicDatagram: (payload, context) => void context.send(payload),
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
    "/datagrams": {
      POST: async () => {
        await Bun.sleep(5);
        return new Response("taken");
      },
      h3Datagram: (payload, context) => void context.send(payload),
    },
    "/wt": { webtransport: echo },
    "/wt/*": {
      // One that opens streams nobody asked for, and ends before or after its peer does.
      webtransport: async (session) => {
        await session.accept();
        const writer = (await session.createBidirectionalStream()).writable.getWriter();
        await writer.write(part);
        (await session.createUnidirectionalStream()).getWriter().abort("given up").catch(() => {});
        await Bun.sleep(20);
        session.close({ closeCode: 7, reason: "enough" });
      },
    },
  },
  fetch: (request) => new Response(request.url),
});
console.log(server.port);

/** As long as a handshake may take whose peer has gone, and some more. */
const PATIENCE = 25_000;

function held(): Record<string, number> {
  const { requests_active, handshakes_pending, sessions_active, session_streams_active } = server.stats();
  const { exchanges, connections, sessions } = (server as Behind).dispatcher;
  return {
    requests_active: requests_active!,
    handshakes_pending: handshakes_pending!,
    sessions_active: sessions_active!,
    session_streams_active: session_streams_active!,
    exchanges: exchanges.size,
    connections: connections.size,
    sessions: sessions.sessions.size,
    streams: sessions.streams.size,
  };
}

for await (const line of console) {
  if (line === "end") break;
  for (let waited = 0; line === "rest" && waited < PATIENCE && Object.values(held()).some((n) => n > 0); waited += 10) await Bun.sleep(10);
  Bun.gc(true);
  const { requests_total, sessions_total } = server.stats();
  console.log(JSON.stringify({ requests_total, sessions_total, held: held(), descriptors: readdirSync("/proc/self/fd").length }));
}
await server.close();
process.exit(0);
