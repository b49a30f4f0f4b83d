/**
 * POST /slow is read a chunk every 50 ms, printing each, until a line "fast" comes; POST /fast is read at once. Both answer with
 * length and hash. Prints its port first; ends at the line "end".
 */
import { createH3Server } from "../../../bindings/bun/src/index.ts";

let slow = true;

async function measure(request: Request, each: (chunk: number) => Promise<void>): Promise<Response> {
  const hash = new Bun.CryptoHasher("sha256");
  let bytes = 0;
  let chunk = 0;
  for await (const part of request.body ?? []) {
    hash.update(part);
    bytes += part.length;
    if (slow) await each(++chunk);
  }
  return Response.json({ bytes, sha256: hash.digest("hex") });
}

const server = createH3Server({
  port: 0,
  hostname: "127.0.0.1",
  maxRequestBodySize: 1 << 30,
  routes: {
    "/slow": {
      POST: (request: Request) =>
        measure(request, async (chunk) => {
          console.log(`chunk ${chunk}`);
          await Bun.sleep(50);
        }),
    },
    "/fast": { POST: (request: Request) => measure(request, async () => {}) },
  },
});
console.log(server.port);

for await (const line of console) {
  if (line === "fast") slow = false;
  if (line === "end") break;
}
await server.close();
process.exit(0);
