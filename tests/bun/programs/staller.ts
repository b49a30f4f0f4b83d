/** Answers with the hash of what was sent; on the line "stall" its thread sleeps for a second, so that nobody polls. */
import { createH3Server } from "../../../bindings/bun/src/index.ts";

const server = createH3Server({
  port: 0,
  hostname: "127.0.0.1",
  fetch: async (request) => {
    if (request.method === "GET") return new Response("0");
    return new Response(new Bun.CryptoHasher("sha256").update(await request.bytes()).digest("hex"));
  },
});
console.log(server.port);
for await (const line of console) {
  if (line === "stall") {
    await Bun.write(Bun.stdout, "stalled\n");
    Bun.sleepSync(1000);
    console.log("awake");
  }
  if (line === "end") break;
}
const deadline = performance.now() + 5000;
while (performance.now() < deadline) {
  const { requests_active, connections_active } = server.stats();
  if (requests_active === 0 && connections_active === 0) break;
  await Bun.sleep(10);
}
console.log(`active ${server.stats().requests_active} ${server.stats().connections_active}`);
await server.close();
process.exit(0);
