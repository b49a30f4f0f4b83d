/** Collects everything, synchronously, at every turn of the event loop. Prints in the end how often. */
import { createH3Server } from "../../../bindings/bun/src/index.ts";

let collections = 0;
let collecting = true;
function collect(): void {
  Bun.gc(true);
  collections++;
  if (collecting) setImmediate(collect);
}

const server = createH3Server({
  port: 0,
  hostname: "127.0.0.1",
  routes: {
    "/echo": { POST: (request: Request) => new Response(request.body) },
    "/hello": (request: Request) => new Response(`hello ${new URL(request.url).search}`),
  },
});
console.log(server.port);
collect();
for await (const line of console) {
  if (line === "end") break;
}
collecting = false;
await server.close();
console.log(collections);
process.exit(0);
