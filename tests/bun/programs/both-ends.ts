/** A server and a client in one process, in whichever Bun: a long stream there and back, one given up while its write waits, one behind its close(). */
import { createH3Server, WebTransport, WebTransportError } from "../../../bindings/bun/src/index.ts";

/** Reads a stream to its end. Not by a Response: in Bun 1.3 that loses what a stream of a class of ours rejects with. */
async function all(stream: ReadableStream<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces);
}

const given: (number | null)[] = [];
const read = Promise.withResolvers<void>();
const server = createH3Server({
  port: 0,
  hostname: "127.0.0.1",
  webtransport: { origins: ["*"] },
  routes: {
    "/wt": {
      async webtransport(session) {
        await session.accept();
        void (async () => {
          for await (const stream of session.incomingUnidirectionalStreams) {
            await read.promise;
            await all(stream).catch((error: WebTransportError) => given.push(error.streamErrorCode));
            if (given.length === 2) session.close({ closeCode: 5, reason: given.join() });
          }
        })();
        for await (const { readable, writable } of session.incomingBidirectionalStreams) await readable.pipeTo(writable);
      },
    },
  },
});
const session = new WebTransport(`https://127.0.0.1:${server.port}/wt`, {
  serverCertificateHashes: [{ algorithm: "sha-256", value: new Uint8Array(server.certificateHash!) }],
});
const { readable, writable } = await session.createBidirectionalStream();
const sent = new Uint8Array(8 << 20).map((_, i) => i * 31);
const writer = writable.getWriter();
void writer.write(sent);
const closed = writer.close();
const back = await all(readable);
await closed;
console.log(back.length, Bun.hash(back) === Bun.hash(sent));

const waits = (await session.createUnidirectionalStream()).getWriter();
const write = waits.write(new Uint8Array(64 << 20)); // more than anybody takes unread
const reason = new WebTransportError("", { streamErrorCode: 7 });
const ended = (promise: Promise<unknown>): Promise<string> =>
  promise.then(() => "well", (error) => (error === reason ? "with the reason" : String(error)));
console.log((await Promise.all([write, waits.abort(reason), waits.closed].map(ended))).join());

const closes = (await session.createUnidirectionalStream()).getWriter();
void closes.write(new Uint8Array(1)).catch(() => {});
const closing = closes.close().catch(() => {});
void closes.abort(new WebTransportError("", { streamErrorCode: 8 })).catch(() => {});
void closes.closed.catch(() => {});
await closing;
read.resolve();
console.log(JSON.stringify(await session.closed));
await server.close();
