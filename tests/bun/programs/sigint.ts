/** A host with a handler of its own for SIGINT. */
import { createH3Server } from "../../../bindings/bun/src/index.ts";

process.on("SIGINT", () => {
  console.log("handled SIGINT");
  process.exit(7);
});
createH3Server({ port: 0, hostname: "127.0.0.1", fetch: () => new Response() });
console.log("ready");
