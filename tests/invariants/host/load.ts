// Loading the library more than once, from Workers, and leaving while it works (A10).
//
//     bun load.ts LIBRARY twice | workers | exit | fall-off-the-end
//
// Prints "ok" before it ends; its exit code has to be 0, and nothing else may stand on its streams.
import { dlopen } from "bun:ffi";
import { open, startServer } from "./library.ts";

declare const self: Worker;

const WORKERS = 4;

function twice(path: string): void {
  const first = dlopen(path, { zig_h3_version: { args: [], returns: "cstring" } });
  const second = open(path);
  const version = String(first.symbols.zig_h3_version());
  first.close(); // the library stays: closing one handle must not take it from under the other
  startServer(second);
  if (version === "" || String(second.zig_h3_version()) !== version) throw new Error("two versions");
}

/** One Worker after the other: each loads the library, starts a server and is terminated with the server alive. */
async function workers(path: string): Promise<void> {
  const version = String(open(path).zig_h3_version());
  for (let i = 0; i < WORKERS; i++) {
    const worker = new Worker(import.meta.url);
    const answer = await new Promise<string>((resolve, reject) => {
      worker.onmessage = ({ data }: MessageEvent<string>) => resolve(data);
      worker.onerror = (error) => reject(new Error(error.message));
      worker.postMessage(path);
    });
    worker.terminate();
    if (answer !== version) throw new Error(`worker ${i}: ${answer}`);
  }
}

if (Bun.isMainThread) {
  const [path, how] = [process.argv[2]!, process.argv[3]!];
  if (how === "twice") twice(path);
  else if (how === "workers") await workers(path);
  else startServer(open(path));
  console.log("ok");
  if (how !== "fall-off-the-end") process.exit(0);
} else {
  self.onmessage = ({ data }: MessageEvent<string>) => {
    const library = open(data);
    startServer(library);
    postMessage(String(library.zig_h3_version()));
  };
}
