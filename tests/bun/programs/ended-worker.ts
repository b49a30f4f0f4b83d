/** A Worker that serves until it ends in the way that the argument names: what it served then has nobody left. */
import { H3Error, createH3Server } from "../../../bindings/bun/src/index.ts";

declare const self: Worker;

const [how] = process.argv.slice(2);

async function bound(port: number): Promise<void> {
  for (;;) {
    try {
      await createH3Server({ port, hostname: "127.0.0.1", fetch: () => new Response() }).close();
      return;
    } catch (error) {
      if (!(error instanceof H3Error && error.message.includes("EADDRINUSE"))) throw error;
      await Bun.sleep(5);
    }
  }
}

if (Bun.isMainThread) {
  const worker = new Worker(import.meta.path, { argv: [how!] });
  const port = await new Promise<number>((resolve) => {
    worker.onmessage = (message: MessageEvent<number>) => resolve(message.data);
  });
  worker.onerror = (event) => event.preventDefault();
  console.log(port);
  for await (const line of console) {
    if (line === "end") break;
  }
  if (how === "terminate") worker.terminate();
  else worker.postMessage("end");
  await bound(port);
  console.log("the port is free");
  process.exit(0);
} else {
  const server = createH3Server({ port: 0, hostname: "127.0.0.1", fetch: () => new Promise<Response>(() => {}) });
  self.onmessage = () => {
    if (how === "exit") process.exit(0);
    throw new Error("the Worker fails");
  };
  postMessage(server.port);
}
