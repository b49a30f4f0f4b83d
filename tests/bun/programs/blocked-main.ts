/** A Worker serves; the main thread sleeps in Atomics.wait until a request tells the Worker to wake it. */
import { join } from "node:path";

const flag = new Int32Array(new SharedArrayBuffer(4));
const worker = new Worker(join(import.meta.dir, "serving-worker.ts"));
const { promise, resolve } = Promise.withResolvers<number>();
worker.onmessage = (message: MessageEvent<number>) => resolve(message.data);
worker.postMessage({ flag: flag.buffer, pump: process.argv[2] ?? "interval" });
console.log(await promise);

let ticks = 0;
const timer = setInterval(() => ticks++, 1);
console.log("main blocks");
Atomics.wait(flag, 0, 0);
console.log(`main woke: ticks ${ticks}`);
clearInterval(timer);
worker.postMessage("close");
await new Promise<void>((done) => worker.addEventListener("close", () => done()));
