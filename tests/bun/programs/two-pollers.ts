/** A server polled by the main thread, and one polled by a Worker. Prints both ports, and in the end how many each has served. */
import { join } from "node:path";
import { pollerServer } from "./poller-server.ts";

const here = pollerServer("main");
const worker = new Worker(join(import.meta.dir, "poller-worker.ts"));
const next = (): Promise<number> =>
  new Promise((resolve) => {
    worker.onmessage = (message: MessageEvent<number>) => resolve(message.data);
  });
const port = next();
console.log(here.server.port);
console.log(await port);
for await (const line of console) {
  if (line === "end") break;
}
const served = next();
worker.postMessage("close");
console.log(`main ${here.served()}`);
console.log(`worker ${await served}`);
await here.server.close();
process.exit(0);
