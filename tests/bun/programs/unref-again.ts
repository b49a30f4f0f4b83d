/** A server that is stopped, told again that it is to keep its process, started and told that it is not: only what it was told last counts. */
import { createH3Server } from "../../../bindings/bun/src/index.ts";

const server = createH3Server({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("hello") });
await server.stop(true);
server.unref();
server.ref();
server.start();
server.unref();
console.log("end of the script");
