/** Servers that sleep, look by interval or are unref()ed: how often they look for events once they have stopped, and that they serve again. */
import { createH3Server } from "../../../bindings/bun/src/index.ts";
import { library } from "../../../bindings/bun/src/native/library.ts";
import { http3 } from "../client.ts";

const native = library() as unknown as Record<string, (...args: unknown[]) => number>;
let looks = 0;
for (const name of ["zig_h3_queue_peek", "zig_h3_queue_arm"]) {
  const was = native[name]!;
  native[name] = (...args) => {
    looks++;
    return was(...args);
  };
}

const options = { port: 0, hostname: "127.0.0.1", fetch: () => new Response("hello") };
const servers = [createH3Server(options), createH3Server({ ...options, pump: { intervalMs: 1 } }), createH3Server({ ...options, queue: { capacity: 1 << 19 } })];
servers[2]!.unref();

async function stopped(): Promise<void> {
  await Promise.all(servers.map((server) => server.stop(true)));
  await Bun.sleep(20); // what was under way has come to its end
  looks = 0;
  await Bun.sleep(200);
  console.log(`looks: ${looks}`);
}

await stopped();
for (const server of servers) server.start();
console.log((await Promise.all(servers.map(async ({ port }) => (await http3(port, "/")).text()))).join(" "));
await stopped();
for (const server of servers) await server.close();
