// This project's server, for the benchmark, written as a user would write it.
import { createH3Server } from "../../bindings/bun/src/index.ts";
import { routes, tls } from "./handler.ts";

const server = await createH3Server({
  port: 0,
  hostname: "127.0.0.1",
  tls,
  routes,
  fetch: () => new Response("not found", { status: 404 }),
});
console.log("ready", server.port);
