/** The Worker of two-pollers.ts. */
import { pollerServer } from "./poller-server.ts";

declare const self: Worker;

const { server, served } = pollerServer("worker");
self.postMessage(server.port);
self.onmessage = async () => {
  await server.close();
  self.postMessage(served());
};
