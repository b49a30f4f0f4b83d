// The other WebTransport server for Bun, written as its README shows.
import { createServer } from "@webtransport-bun/webtransport";

const port = Number(process.env.BENCH_PORT);
createServer({
  port,
  tls: { certPem: await Bun.file(process.env.BENCH_CERT!).text(), keyPem: await Bun.file(process.env.BENCH_KEY!).text() },
  onSession: async (session) => {
    void (async () => {
      for await (const { readable, writable } of session.incomingBidirectionalStreams) void readable.pipeTo(writable).catch(() => {});
    })().catch(() => {});
    for await (const datagram of session.incomingDatagrams()) await session.sendDatagram(datagram);
  },
});
console.log("ready", port);
