// A Worker serves requests with next_event and queue_wait; afterwards the signal stacks of its thread and of the main thread are
// what they were: no Go code ever ran there.
//
//     bun worker.ts LIBRARY REQUESTS
//
// Prints "ready PORT HASH" for tests/peers/client, and at the end "untouched", or what changed.
import { ptr } from "bun:ffi";
import { bytesAt, check, open, Route, signalStack, startServer } from "./library.ts";

declare const self: Worker;

const REQUEST = 1;
const SERVER_STOPPED = 9;
const FORGET = 1;
const HEADERS = packed("content-type", "text/plain");

function packed(name: string, value: string): Uint8Array {
  const field = new Uint8Array(6 + name.length + value.length);
  new DataView(field.buffer).setUint16(0, name.length, true);
  new DataView(field.buffer).setUint32(2, value.length, true);
  field.set(Buffer.from(name + value), 6);
  return field;
}

function pathOf(meta: Uint8Array): Uint8Array {
  const view = new DataView(meta.buffer, meta.byteOffset, meta.byteLength);
  for (let at = 0; at < meta.length; ) {
    const [nameLength, valueLength] = [view.getUint16(at, true), view.getUint32(at + 2, true)];
    const name = meta.subarray(at + 6, at + 6 + nameLength);
    at += 6 + nameLength + valueLength;
    if (Buffer.from(name).toString() === ":path") return meta.slice(at - valueLength, at);
  }
  throw new Error("a request without :path");
}

function serve(path: string, requests: number): void {
  const library = open(path);
  const { queue, server, port, hash } = startServer(library);
  postMessage({ ready: `${port} ${hash}` });
  const event = new Uint8Array(80);
  const view = new DataView(event.buffer);
  for (let served = 0, stopped = false; !stopped; ) {
    if (check(library, library.zig_h3_queue_wait(queue, 60_000), "queue_wait") === 0) throw new Error("no event for a minute");
    while (check(library, library.zig_h3_next_event(queue, ptr(event)), "next_event") === 1) {
      const type = view.getUint16(4, true);
      if (type === SERVER_STOPPED) stopped = true;
      if (type !== REQUEST) continue;
      const request = view.getBigUint64(8, true);
      const echo = view.getBigUint64(32, true) === BigInt(Route.Echo);
      const body = echo
        ? bytesAt(view.getBigUint64(72, true), view.getUint32(52, true))
        : pathOf(bytesAt(view.getBigUint64(64, true), view.getUint32(48, true)));
      const sent = library.zig_h3_response_send(request, 200, ptr(HEADERS), HEADERS.length, ptr(body), body.length, FORGET);
      check(library, sent, "response_send");
      if (++served === requests) check(library, library.zig_h3_server_stop(server, 5000), "server_stop");
    }
  }
}

if (Bun.isMainThread) {
  const before = signalStack();
  open(process.argv[2]!); // once on the main thread first: Bun 1.3 crashes when Workers load at the same time (oven-sh/bun#40972)
  const worker = new Worker(import.meta.url);
  worker.onmessage = ({ data }: MessageEvent<{ ready?: string; before?: string; after?: string }>) => {
    if (data.ready) return console.log(`ready ${data.ready}`);
    const after = signalStack();
    if (data.before === data.after && before === after) console.log("untouched");
    else console.log(`worker: ${data.before}, then ${data.after}; main thread: ${before}, then ${after}`);
    process.exit(0);
  };
  worker.onerror = (error) => {
    console.log(error.message);
    process.exit(1);
  };
  worker.postMessage([process.argv[2], Number(process.argv[3])]);
} else {
  self.onmessage = ({ data: [path, requests] }: MessageEvent<[string, number]>) => {
    const before = signalStack();
    serve(path, requests);
    postMessage({ before, after: signalStack() });
  };
}
