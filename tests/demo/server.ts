// The server of the demo: a page, an echo, and a stream that is written while it is read. Without a certificate in its options the
// library makes one for development; its hash is printed, so that the client can insist on it.
import { createH3Server } from "../../bindings/bun/src/index.ts";

async function* countdown(from: number) {
  for (let n = from; n > 0; n--) {
    yield `${n} `;
    await Bun.sleep(50);
  }
  yield "liftoff";
}

const server = createH3Server({
  port: 0,
  hostname: "127.0.0.1",
  routes: {
    "/hello/:name": (request) => new Response(`hello ${request.params.name}, this is Bun ${Bun.version} over HTTP/3`),
    "/countdown": () => new Response(countdown(5)),
    "/echo": { POST: (request: Request) => new Response(request.body) },
  },
  fetch: () => new Response("nothing here", { status: 404 }),
});

console.log(`ready ${server.port} ${server.certificateHash}`);

process.once("SIGTERM", () => void server.stop());
