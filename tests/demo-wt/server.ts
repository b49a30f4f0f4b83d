// The page comes over TCP from Bun.serve(), with the certificate's hash in it; the session that it opens goes to the HTTP/3 server,
// which gives every datagram and every stream back. Browsers take http://localhost for a secure context, so no certificate of an
// authority is needed anywhere.
import { createH3Server, type H3Server } from "../../bindings/bun/src/index.ts";
import { echo } from "../interop/sessions.ts";

const page: Bun.Server<undefined> = Bun.serve({
  port: Number(process.env.PORT ?? 8080),
  hostname: "localhost",
  routes: {
    "/": () => new Response(Bun.file(`${import.meta.dir}/index.html`)),
    "/plot.js": () => new Response(Bun.file(`${import.meta.dir}/plot.js`)),
    "/session": () => Response.json({ url: `https://127.0.0.1:${server.port}/echo`, hash: [...server.certificateHash] }),
    "/favicon.ico": () => new Response(null, { status: 204 }),
  },
});

const server: H3Server = createH3Server({
  port: 0,
  hostname: "127.0.0.1",
  routes: { "/echo": { webtransport: echo } },
  webtransport: { origins: [page.url.origin] },
});

console.log(`ready ${page.url.href} ${server.port}`);

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, async () => {
    await server.stop(true); // at once: a page of Chromium that opens a stream after GOAWAY loses its session without a code
    await server.close();
    await page.stop(true);
  });
}
