/** Handlers that call the server they run in: stats, start, another server's making, stop, close. */
import { createH3Server, type H3Server } from "../../../bindings/bun/src/index.ts";
import { http3 } from "../client.ts";

function make(): H3Server {
  const server: H3Server = createH3Server({
    port: 0,
    hostname: "127.0.0.1",
    routes: {
      "/stats": () => Response.json(server.stats()),
      "/start": () => {
        server.start();
        return new Response("started already");
      },
      "/another": async () => {
        const another = createH3Server({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("served another") });
        const body = await (await http3(another.port, "/")).text();
        await another.close();
        return new Response(body);
      },
      "/stop": () => {
        void server.stop(true).then(() => {
          console.log("stopped");
          console.log(make().port);
        });
        return new Response("never seen");
      },
      "/close": () => {
        void server.close().then(() => console.log("closed"));
        return new Response("never seen");
      },
    },
  });
  return server;
}

console.log(make().port);
