/** Loads the library here twice and in four Workers, one after the other, starts a server and leaves. */
import { join } from "node:path";
import { dlopen } from "bun:ffi";
import { createH3Server, version } from "../../../bindings/bun/src/index.ts";
import { libraryPath } from "../native.ts";

dlopen(libraryPath, { zig_h3_abi_version: { args: [], returns: "u32" } });
createH3Server({ port: 0, hostname: "127.0.0.1", fetch: () => new Response(version()) });
for (let i = 0; i < 4; i++) {
  const worker = new Worker(join(import.meta.dir, "version-worker.ts"));
  const { promise, resolve } = Promise.withResolvers<string>();
  worker.onmessage = (message: MessageEvent<string>) => resolve(message.data);
  console.log(await promise);
}
console.log("exiting");
process.exit(0);
