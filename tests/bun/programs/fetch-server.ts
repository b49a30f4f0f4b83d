/** A server in a Worker, for processes that only fetch. Tells its port. */
import { createH3Server } from "../../../bindings/bun/src/index.ts";

declare const self: Worker;

const server = createH3Server({
  port: 0,
  hostname: "127.0.0.1",
  routes: {
    "/hello": () => new Response("hello"),
    "/late": async () => {
      await Bun.sleep(300);
      return new Response("late");
    },
    "/never": () => new Promise<Response>(() => {}),
    "/endless": () => new Response(new ReadableStream({ pull: (controller) => void controller.enqueue(new Uint8Array(64 << 10)) })),
  },
});
self.postMessage(server.port);
