/**
 * GET /static and /blob answer with the same bytes, as many as the first argument says; /stream makes them, 64 KiB at a time. /warm
 * has 1 MiB of them. Prints its port first, then the SHA-256 of the bytes; ends at "end".
 */
import { createH3Server } from "../../../bindings/bun/src/index.ts";

const bytes = new Uint8Array(Number(process.argv[2])).map((_, i) => (i * 7) >> 3);
const blob = new Blob([bytes]);

function stream(): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      controller.enqueue(bytes.slice(at, (at += 64 << 10)));
      if (at >= bytes.length) controller.close();
    },
  });
}

const server = createH3Server({
  port: 0,
  hostname: "127.0.0.1",
  routes: {
    "/static": new Response(bytes),
    "/blob": () => new Response(blob),
    "/stream": () => new Response(stream()),
    "/warm": () => new Response(bytes.subarray(0, 1 << 20)),
  },
});
console.log(server.port);
console.log(new Bun.CryptoHasher("sha256").update(bytes).digest("hex"));

for await (const line of console) if (line === "end") break;
await server.close();
process.exit(0);
