/**
 * A server for any outside HTTP/3 tool.
 *
 *     PORT=4433 CERT=cert.pem KEY=key.pem bun tests/interop/server.ts
 *
 * PORT 0 or none: one that the system chooses. Without CERT and KEY it makes a development certificate. It prints one line,
 * `ready <url> <certificate hash>`; the hash is SHA-256 of the certificate in hex. SIGTERM stops it gracefully.
 */
import { createH3Server, withTrailers, type H3Server } from "../../bindings/bun/src/index.ts";
import * as sessions from "./sessions.ts";

const { PORT, CERT, KEY } = process.env;

const chunk = new Uint8Array(64 << 10);
for (let i = 0; i < chunk.length; i++) chunk[i] = i % 256;

/** n bytes, the byte at offset i being i % 256, produced as they are asked for. */
function bytes(n: number): ReadableStream<Uint8Array> {
  let left = n;
  return new ReadableStream<Uint8Array>({
    pull(controller) {
      const part = chunk.slice(0, Math.min(left, chunk.length));
      left -= part.length;
      if (part.length > 0) controller.enqueue(part);
      if (left === 0) controller.close();
    },
  });
}

const server: H3Server = createH3Server({
  port: PORT || 0,
  hostname: "127.0.0.1",
  // One without the other is refused by name.
  certPath: CERT,
  keyPath: KEY,
  routes: {
    "/hello": { GET: () => new Response("hello world", { headers: { "content-type": "text/plain" } }) },
    "/echo": { POST: (request: Request) => new Response(request.body) },
    "/bytes/:n": {
      GET: (request) => {
        const n = Number(request.params.n);
        if (!Number.isSafeInteger(n) || n < 0) return new Response("not a number of bytes", { status: 400 });
        return new Response(bytes(n), { headers: { "content-type": "application/octet-stream", "content-length": String(n) } });
      },
    },
    "/upload": {
      POST: async (request: Request) => {
        const hash = new Bun.CryptoHasher("sha256");
        let total = 0;
        for await (const part of request.body ?? []) {
          hash.update(part);
          total += part.length;
        }
        return Response.json({ bytes: total, sha256: hash.digest("hex") });
      },
    },
    "/json": { GET: () => Response.json({ message: "hello", numbers: [1, 2, 3] }) },
    "/slow": {
      GET: async (request: Request) => {
        const ms = Number(new URL(request.url).searchParams.get("ms") ?? 100);
        await Bun.sleep(ms);
        return Response.json({ slept: ms });
      },
    },
    "/trailers": {
      GET: () =>
        withTrailers(new Response("the body"), { "x-checksum": new Bun.CryptoHasher("sha256").update("the body").digest("hex") }),
    },
    "/throw": {
      GET: () => {
        throw new Error("thrown on purpose");
      },
    },
    "/params/:a/:b": { GET: (request) => Response.json(request.params) },
    "/stats": { GET: () => Response.json(server.stats()) },
    "/wt/echo": { webtransport: sessions.echo },
    "/wt/close": { webtransport: sessions.close },
    "/wt/reject": { webtransport: sessions.reject },
    "/wt/push": { webtransport: sessions.push },
    "/wt/protocols": { webtransport: sessions.protocols },
    // Its datagrams come back for as long as its body is open.
    "/h3dgram/echo": {
      POST: (request: Request) => new Response(request.body),
      h3Datagram: (payload, context) => void context.send(payload),
    },
  },
  webtransport: { origins: ["*"] },
  quicDatagram: (payload, context) => void context.send(payload),
});

console.log(`ready ${server.url.href} ${server.certificateHash}`);

process.once("SIGTERM", async () => {
  await server.stop();
  await server.close();
});
