/** The Worker of blocked-main.ts: /unblock wakes the main thread. */
import { createH3Server } from "../../../bindings/bun/src/index.ts";

declare const self: Worker;

self.onmessage = (message: MessageEvent<{ flag: SharedArrayBuffer; pump: string } | "close">) => {
  if (message.data === "close") return;
  const flag = new Int32Array(message.data.flag);
  const server = createH3Server({
    port: 0,
    hostname: "127.0.0.1",
    ...(message.data.pump === "interval" ? { pump: { intervalMs: 1 } } : {}),
    routes: {
      "/echo": { POST: (request: Request) => new Response(request.body) },
      "/unblock": () => {
        Atomics.store(flag, 0, 1);
        Atomics.notify(flag, 0);
        return new Response("unblocked");
      },
    },
    fetch: (request) => new Response(`worker: ${new URL(request.url).pathname}`),
  });
  self.onmessage = async () => {
    await server.close();
    process.exit(0);
  };
  self.postMessage(server.port);
};
