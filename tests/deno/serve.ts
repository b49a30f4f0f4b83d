// HTTP/3 from Deno: zig_h3_queue_wait as a call that does not block, on a thread of Deno's. GET /hello/:name greets, POST /upload says
// what came, until standard input ends; then it stops and prints what it saw.
//
//     deno run --allow-ffi serve.ts LIBRARY
const h3 = Deno.dlopen(Deno.args[0], {
  zig_h3_error_name: { parameters: ["i32"], result: "pointer" }, zig_h3_last_error: { parameters: [], result: "pointer" },
  zig_h3_queue_new: { parameters: ["pointer", "buffer"], result: "i32" }, zig_h3_queue_free: { parameters: ["u64"], result: "i32" },
  zig_h3_queue_wait: { parameters: ["u64", "i32"], result: "i32", nonblocking: true },
  zig_h3_next_events: { parameters: ["u64", "buffer", "usize", "u32", "pointer"], result: "i32" },
  zig_h3_server_new: { parameters: ["buffer", "u64", "buffer"], result: "i32" },
  zig_h3_server_route: { parameters: ["u64", "buffer", "buffer", "u32", "u64", "pointer"], result: "i32" },
  zig_h3_server_start: { parameters: ["u64"], result: "i32" }, zig_h3_server_free: { parameters: ["u64"], result: "i32" },
  zig_h3_server_port: { parameters: ["u64", "buffer"], result: "i32" }, zig_h3_server_stop: { parameters: ["u64", "i32"], result: "i32" },
  zig_h3_request_consumed: { parameters: ["u64", "u64"], result: "i32" },
  zig_h3_response_send: { parameters: ["u64", "u32", "pointer", "usize", "buffer", "usize", "u32"], result: "i32" },
}).symbols;

const words = (text: Deno.PointerValue) => new Deno.UnsafePointerView(text!).getCString();
const must = (code: number) => {
  if (code < 0) throw new Error(`${words(h3.zig_h3_error_name(code))}: ${words(h3.zig_h3_last_error())}`);
  return code;
};
const [REQUEST, BODY, BODY_END, WRITABLE, STREAM_CLOSED, CONN_OPENED, CONN_CLOSED, SERVER_STOPPED] = [1, 2, 3, 4, 5, 6, 7, 9];
const [FLAG_END, WOULD_BLOCK, STALE_HANDLE, HELLO, UPLOAD] = [1, -425, -3, 1n, 2n];
const text = (value: string) => new TextEncoder().encode(value + "\0");

const out = new BigUint64Array(1), port = new Uint16Array(1), config = new BigUint64Array(6), hostname = text("127.0.0.1");
must(h3.zig_h3_queue_new(null, out));
const queue = out[0]; // handles are bigints here: Maps take them as keys, and calls as they are
config[0] = BigInt(config.byteLength); // zig_h3_server_config: size, and no port
config[1] = BigInt(Deno.UnsafePointer.value(Deno.UnsafePointer.of(hostname)));
must(h3.zig_h3_server_new(config, queue, out));
const server = out[0];
must(h3.zig_h3_server_route(server, text("GET"), text("/hello/:name"), 0, HELLO, null));
must(h3.zig_h3_server_route(server, text("POST"), text("/upload"), 0, UPLOAD, null));
must(h3.zig_h3_server_start(server));
must(h3.zig_h3_server_port(server, port));
console.log(`ready ${port[0]}`);
// Events by type; by their request what came of uploads, and answers that were refused.
const seen = Array(64).fill(0), uploads = new Map<bigint, { bytes: number; sum: number }>(), refused = new Map<bigint, string>();
const buffer = new Uint8Array(256 << 10), view = new DataView(buffer.buffer); // holds any event

const field = (at: number, name: string): string => { // of a packed header list
  const value = at + 6 + view.getUint16(at, true), end = value + view.getUint32(at + 2, true);
  const decode = (from: number, to: number) => new TextDecoder().decode(buffer.subarray(from, to));
  return decode(at + 6, value) === name ? decode(value, end) : field(end, name);
};

const answer = (request: bigint, body: string) => {
  const bytes = new TextEncoder().encode(body), code = h3.zig_h3_response_send(request, 200, null, 0n, bytes, BigInt(bytes.length), 0);
  if (code === WOULD_BLOCK) refused.set(request, body); // no room just now: once more at its WRITABLE
  else if (refused.delete(request), code !== STALE_HANDLE) must(code); // stale: its peer has gone
};

const handle = (at: number) => {
  const type = view.getUint16(at + 4, true), request = view.getBigUint64(at + 8, true), route = view.getBigUint64(at + 32, true);
  const dataAt = at + 64 + ((view.getUint32(at + 48, true) + 7) & ~7), data = buffer.subarray(dataAt, dataAt + view.getUint32(at + 52, true));
  seen[type]++;
  if (type === REQUEST && route === HELLO) answer(request, `hello ${field(at + 64, ":path").slice("/hello/".length)}`);
  if (type === REQUEST && route === UPLOAD) uploads.set(request, { bytes: 0, sum: 0 });
  if (type === STREAM_CLOSED) uploads.delete(request), refused.delete(request);
  if (type === WRITABLE && refused.has(request)) return answer(request, refused.get(request)!);
  const upload = uploads.get(request);
  if (upload === undefined) return;
  upload.bytes += data.length;
  upload.sum = data.reduce((sum, byte) => sum + byte, upload.sum);
  if (type === BODY) h3.zig_h3_request_consumed(request, BigInt(data.length)); // lets the peer send more
  if (type === BODY_END || view.getUint16(at + 6, true) & FLAG_END) answer(request, `${upload.bytes} bytes, sum ${upload.sum}`);
};

Deno.stdin.readable.pipeTo(new WritableStream()).then(() => must(h3.zig_h3_server_stop(server, 5000)));
while (seen[SERVER_STOPPED] === 0) {
  if ((await h3.zig_h3_queue_wait(queue, -1)) < 0) throw new Error("the queue"); // last_error is that thread's
  for (let n; (n = must(h3.zig_h3_next_events(queue, buffer, BigInt(buffer.length), 1000, null))) > 0;)
    for (let at = 0; n > 0; n--, at += (view.getUint32(at, true) + 63) & ~63) handle(at);
}
must(h3.zig_h3_server_free(server));
must(h3.zig_h3_queue_free(queue));
console.log(`stopped: ${seen[REQUEST]} requests, ${seen[STREAM_CLOSED]} ended, ${seen[CONN_OPENED]} connections, ${seen[CONN_CLOSED]} closed`);
