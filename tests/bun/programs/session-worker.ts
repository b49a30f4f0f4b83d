// A server of sessions in a Worker: tells its port, answers each datagram with "worker ", and ends when it is told to.
import { createH3Server } from "../../../bindings/bun/src/index.ts";

declare const self: Worker;

const server = createH3Server({
  port: 0,
  hostname: "127.0.0.1",
  routes: {
    "/wt": {
      webtransport(session) {
        session.onDatagram = (payload) => void session.sendDatagram(Buffer.from(`worker ${Buffer.from(payload).toString()}`));
        void session.accept();
      },
    },
  },
});

self.onmessage = async () => {
  await server.close();
  process.exit();
};
postMessage(server.port);
