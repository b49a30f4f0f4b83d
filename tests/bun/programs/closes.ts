/** Serves one request to itself and closes the server; nothing is left that would keep the process. */
import { createH3Server } from "../../../bindings/bun/src/index.ts";
import { http3 } from "../client.ts";

const server = createH3Server({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("hello") });
const response = await http3(server.port, "/");
console.log(response.status, await response.text());
await server.close();
console.log("closed");
