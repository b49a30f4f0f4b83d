// The other WebTransport server for Bun, written as its README shows, with the limits out of the way that it has by default: 2,000
// datagrams a second from an address, 256 KiB waiting on a stream, and what is beyond is lost. Only wtransport's client measures it:
// webtransport-go's refuses a server without reliable resets (RESET_STREAM_AT).
import { createServer } from "@webtransport-bun/webtransport";

const port = Number(process.env.BENCH_PORT);
const any = 1_000_000_000;
createServer({
  port,
  tls: { certPem: await Bun.file(process.env.BENCH_CERT!).text(), keyPem: await Bun.file(process.env.BENCH_KEY!).text() },
  rateLimits: { datagramsPerSec: any, datagramsBurst: any, streamsPerSec: any, streamsBurst: any },
  limits: { maxQueuedBytesPerStream: 16 << 20, maxQueuedBytesPerSession: 64 << 20 },
  onSession: async (session) => {
    void (async () => {
      for await (const { readable, writable } of session.incomingBidirectionalStreams) void readable.pipeTo(writable).catch(() => {});
    })().catch(() => {});
    for await (const datagram of session.incomingDatagrams()) await session.sendDatagram(datagram);
  },
});
console.log("ready", port);
