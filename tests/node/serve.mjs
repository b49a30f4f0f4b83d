// HTTP/3 from Node, with koffi: a timer that takes what is there with zig_h3_next_events. GET /hello/:name greets, POST /upload says
// what came, until standard input ends; then it stops and prints what it saw.
//
//     node serve.mjs LIBRARY
import koffi from "koffi";

const library = koffi.load(process.argv[2]);
koffi.struct("Config", {
  size: "uint32", port: "uint16", reserved: "uint16", hostname: "str", cert_path: "str", key_path: "str", options: "str", options_len: "size_t",
});
const h3 = {}; // handles are below 2^53: numbers hold them
for (const [call, parameters] of Object.entries({
  queue_new: "void *config, _Out_ uint64_t *queue",
  next_events: "uint64_t queue, void *buffer, size_t capacity, uint32_t max, void *needed",
  server_new: "Config *config, uint64_t queue, _Out_ uint64_t *server",
  server_route: "uint64_t server, str method, str pattern, uint32_t flags, uint64_t user_data, void *route_id",
  server_start: "uint64_t server", server_free: "uint64_t server", queue_free: "uint64_t queue",
  server_port: "uint64_t server, _Out_ uint16_t *port",
  server_stop: "uint64_t server, int32_t deadline_ms",
  request_consumed: "uint64_t request, uint64_t n",
  response_send: "uint64_t request, uint32_t status, void *headers, size_t headers_len, str body, size_t body_len, uint32_t flags",
})) h3[call] = library.func(`int32_t zig_h3_${call}(${parameters})`);
const errorName = library.func("str zig_h3_error_name(int32_t code)"), lastError = library.func("str zig_h3_last_error()");
const must = (code) => {
  if (code < 0) throw new Error(`${errorName(code)}: ${lastError()}`);
  return code;
};

const REQUEST = 1, BODY = 2, BODY_END = 3, WRITABLE = 4, STREAM_CLOSED = 5, CONN_OPENED = 6, CONN_CLOSED = 7, SERVER_STOPPED = 9;
const FLAG_END = 1, WOULD_BLOCK = -425, STALE_HANDLE = -3, HELLO = 1, UPLOAD = 2;
const queue = [0], server = [0], port = [0];
must(h3.queue_new(null, queue));
must(h3.server_new({ size: koffi.sizeof("Config"), hostname: "127.0.0.1" }, queue[0], server));
must(h3.server_route(server[0], "GET", "/hello/:name", 0, HELLO, null));
must(h3.server_route(server[0], "POST", "/upload", 0, UPLOAD, null));
must(h3.server_start(server[0]));
must(h3.server_port(server[0], port));
console.log(`ready ${port[0]}`);

// Events by type; by their request what came of uploads, and answers that were refused.
const seen = Array(64).fill(0), uploads = new Map(), refused = new Map();

const field = (list, name) => { // of a packed header list
  const at = 6 + list.readUInt16LE(0), end = at + list.readUInt32LE(2);
  return list.toString("latin1", 6, at) === name ? list.toString("latin1", at, end) : field(list.subarray(end), name);
};

const answer = (request, body) => {
  const code = h3.response_send(request, 200, null, 0, body, Buffer.byteLength(body), 0);
  if (code === WOULD_BLOCK) refused.set(request, body); // no room just now: once more at its WRITABLE
  else if (refused.delete(request), code !== STALE_HANDLE) must(code); // stale: its peer has gone
};

const handle = (record) => {
  const type = record.readUInt16LE(4), request = Number(record.readBigUInt64LE(8)), route = Number(record.readBigUInt64LE(32));
  const data = record.subarray(64 + ((record.readUInt32LE(48) + 7) & ~7));
  seen[type]++;
  if (type === REQUEST && route === HELLO) answer(request, `hello ${field(record.subarray(64), ":path").slice("/hello/".length)}`);
  if (type === REQUEST && route === UPLOAD) uploads.set(request, { bytes: 0, sum: 0 });
  if (type === STREAM_CLOSED) uploads.delete(request), refused.delete(request);
  if (type === WRITABLE && refused.has(request)) return answer(request, refused.get(request));
  const upload = uploads.get(request);
  if (upload === undefined) return;
  upload.bytes += data.length;
  upload.sum = data.reduce((sum, byte) => sum + byte, upload.sum);
  if (type === BODY) h3.request_consumed(request, data.length); // lets the peer send more
  if (type === BODY_END || record.readUInt16LE(6) & FLAG_END) answer(request, `${upload.bytes} bytes, sum ${upload.sum}`);
};

const buffer = Buffer.alloc(256 << 10); // holds any event
const timer = setInterval(() => {
  for (let n; (n = must(h3.next_events(queue[0], buffer, buffer.length, 1000, null))) > 0; )
    for (let at = 0, size; n-- > 0; at += (size + 63) & ~63) handle(buffer.subarray(at, at + (size = buffer.readUInt32LE(at))));
  if (seen[SERVER_STOPPED] === 0) return;
  clearInterval(timer);
  for (const code of [h3.server_free(server[0]), h3.queue_free(queue[0])]) must(code);
  console.log(`stopped: ${seen[REQUEST]} requests, ${seen[STREAM_CLOSED]} ended, ${seen[CONN_OPENED]} connections, ${seen[CONN_CLOSED]} closed`);
}, 2);
process.stdin.on("end", () => must(h3.server_stop(server[0], 5000))).resume();
