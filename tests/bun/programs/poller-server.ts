/** A server that says which poller it belongs to, what was asked, and the hash of what was sent. */
import { createH3Server, type H3Server } from "../../../bindings/bun/src/index.ts";
import { sha256 } from "../client.ts";

export function pollerServer(poller: string): { server: H3Server; served: () => number } {
  let count = 0;
  const server = createH3Server({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (request) => {
      count++;
      return Response.json({ poller, path: new URL(request.url).pathname, sha256: sha256(await request.bytes()) });
    },
  });
  return { server, served: () => count };
}
