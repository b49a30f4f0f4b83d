// This project's server for sessions, for the benchmark, written as a user would write it.
import { createH3Server, type H3Server } from "../../bindings/bun/src/index.ts";
import { routes, tls } from "./handler.ts";

let received = 0;
let slept = false;

async function each<Stream>(streams: ReadableStream<Stream>, handle: (stream: Stream) => Promise<unknown>): Promise<void> {
  try {
    for await (const stream of streams) handle(stream).catch(() => {});
  } catch {
    // The session has ended.
  }
}

const server: H3Server = createH3Server({
  port: 0,
  hostname: "127.0.0.1",
  tls,
  datagrams: { countLost: process.env["BENCH_COUNT_LOST"] === "1" },
  routes: {
    "/": routes["/"],
    "/bytes/:n": routes["/bytes/:n"],
    "/echo": {
      webtransport(session) {
        session.onDatagram = (datagram) => void session.sendDatagram(datagram);
        void each(session.incomingBidirectionalStreams, ({ readable, writable }) => readable.pipeTo(writable));
        void session.accept();
      },
    },
    // A consumer that is not there for 50 ms while datagrams come.
    "/burst": {
      webtransport(session) {
        session.onDatagram = () => {
          received++;
          if (!slept) Bun.sleepSync(50);
          slept = true;
        };
        void session.accept();
      },
      GET: () => {
        const dropped = Object.entries(server.stats()).filter(([name]) => /^(datagrams_dropped_|packets_dropped$)/.test(name));
        const became = { received, ...Object.fromEntries(dropped) };
        received = 0;
        slept = false;
        return Response.json(became);
      },
    },
  },
});
console.log("ready", server.port);
