/** Waits for a late answer and for nothing else, and then has a Worker do the same. */
import { h3Fetch } from "../../../bindings/bun/src/index.ts";

declare const self: Worker;

async function late(port: number): Promise<string> {
  return (await h3Fetch(`https://127.0.0.1:${port}/late`, { tls: { rejectUnauthorized: false } })).text();
}

if (Bun.isMainThread) {
  const server = new Worker(new URL("./fetch-server.ts", import.meta.url));
  server.onmessage = (message: MessageEvent<number>) => {
    server.unref();
    void late(message.data).then((text) => {
      console.log(text);
      const worker = new Worker(import.meta.url);
      worker.onmessage = ({ data }: MessageEvent<string>) => console.log(`worker: ${data}`);
      worker.postMessage(message.data);
    });
  };
} else {
  self.onmessage = (message: MessageEvent<number>) => {
    self.onmessage = null;
    void late(message.data).then((text) => self.postMessage(text));
  };
}
