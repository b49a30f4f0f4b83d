/** Keeps the first request that comes to /keep, bytes and all, and says at /kept what it still reads as. */
import { createH3Server } from "../../../bindings/bun/src/index.ts";

const chunks: Uint8Array[] = [];
let request: Request | undefined;
let others = 0;

const server = createH3Server({
  port: 0,
  hostname: "127.0.0.1",
  routes: {
    "/keep": {
      POST: async (incoming: Request) => {
        request = incoming;
        for await (const chunk of incoming.body!) chunks.push(chunk);
        return Response.json({ url: incoming.url });
      },
    },
    "/kept": () => {
      const hash = new Bun.CryptoHasher("sha256");
      for (const chunk of chunks) hash.update(chunk);
      return Response.json({ url: request!.url, header: request!.headers.get("x-kept"), sha256: hash.digest("hex"), others });
    },
  },
  fetch: () => {
    others++;
    return new Response("other");
  },
});
console.log(server.port);
for await (const line of console) {
  if (line === "end") break;
}
await server.close();
process.exit(0);
