/** A server whose sessions at /wt give datagrams back; prints its port and the hash of its certificate. */
import { createH3Server } from "../../../bindings/bun/src/index.ts";

const server = createH3Server({
  port: 0,
  hostname: "127.0.0.1",
  webtransport: { origins: ["*"] },
  routes: {
    "/wt": {
      async webtransport(session) {
        session.onDatagram = (payload) => void session.sendDatagram(payload);
        await session.accept();
      },
    },
  },
});
console.log(server.port);
console.log(String(server.certificateHash));
