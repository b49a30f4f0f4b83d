/** A server that does not keep its process. */
import { createH3Server } from "../../../bindings/bun/src/index.ts";

createH3Server({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("hello") }).unref();
console.log("end of the script");
