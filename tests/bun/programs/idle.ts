/** A server that nobody asks anything. Prints its port. */
import { createH3Server } from "../../../bindings/bun/src/index.ts";

const server = createH3Server({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("hello") });
console.log(server.port);
