/**
 * GET / streams as many bytes as the first argument says, as fast as they are taken; GET /small gives 1 MiB. On the line "produced"
 * it prints how many bytes it has made so far, on "hash" their SHA-256 once all are made. Prints its port first; ends at "end".
 */
import { createH3Server } from "../../../bindings/bun/src/index.ts";

const size = Number(process.argv[2]);
let produced = 0;
const hash = new Bun.CryptoHasher("sha256");

function stream(): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({
    pull(controller) {
      const part = new Uint8Array(Math.min(64 << 10, size - produced)).map((_, i) => (produced + i * 7) >> 3);
      produced += part.length;
      hash.update(part);
      controller.enqueue(part);
      if (produced === size) controller.close();
    },
  });
}

const server = createH3Server({
  port: 0,
  hostname: "127.0.0.1",
  routes: {
    "/": () => new Response(stream()),
    "/small": () => new Response(new Uint8Array(1 << 20)),
  },
});
console.log(server.port);

for await (const line of console) {
  if (line === "produced") console.log(produced);
  if (line === "hash") console.log(hash.digest("hex"));
  if (line === "end") break;
}
await server.close();
process.exit(0);
