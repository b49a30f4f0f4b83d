// What the package alone costs, in nanoseconds for a request: its dispatcher reads records of a made-up queue, calls a handler and gives the
// answer to a library that takes everything. No kernel, no Go. Prints one line of JSON.
//
// Each figure is the least of many short rounds, by turns: whatever disturbs makes one longer.
import { mock } from "bun:test";
import { join } from "node:path";

const source = join(import.meta.dir, "../../bindings/bun/src");
const from = (file: string): Promise<any> => import(join(source, file));

/** Requests in a round, and rounds of each kind. */
const REQUESTS = 250;
const ROUNDS = 2000;
/** Paths that take turns where each is to be new. */
const PATHS = 512;

let sent = 0;
const taken = (): number => 0;
const calls = {
  zig_h3_response_send: () => {
    sent++;
    return 0;
  },
  zig_h3_flush: taken,
};
const area = new ArrayBuffer(4096 + (64 << 10));
const scratch = {
  results: 0,
  words: new Uint32Array(area, 0, 1024),
  bytes: new Uint8Array(area, 0, 4096),
  headersAt: 4096,
  headers: Buffer.from(area, 4096, 64 << 10),
  u64: taken,
};
const library = await from("native/library.ts");
const memory = await from("native/memory.ts");
await mock.module(join(source, "native/library.ts"), () => ({ ...library, library: () => calls }));
await mock.module(join(source, "native/memory.ts"), () => ({ ...memory, scratch: () => scratch }));

const { RECORD, RECORD_SIZE, EVENT, FLAG } = await from("native/layout.ts");
const { writeField } = await from("native/packed.ts");
const { Dispatcher } = await from("queue/dispatcher.ts");
const { Arrival } = await from("server/requests/arrival.ts");
const { parseRoutes } = await from("server/routes/parse_routes.ts");

const ring = new ArrayBuffer(1 << 20);
const queue = { bytes: Buffer.from(ring), u8: new Uint8Array(ring), words: new Int32Array(ring), u32: new Uint32Array(ring) };
const dispatcher = new Dispatcher(queue);
const server = {
  bodyLimit: Infinity,
  fallback: undefined,
  errorHook: undefined,
  answering: undefined,
  pump: { flushSoon: taken },
  dispatcher,
  report: (record: { message: string }) => fail(record.message),
};

const text = "hello, world";
const headers = { "content-type": "text/plain", "cache-control": "no-store", "x-request-id": "0123456789" };
/** Kinds of requests: what the route is, and how many paths ask for it. */
const KINDS: Record<string, [route: unknown, paths: number]> = {
  seen: [() => new Response(text), 1],
  new_path: [() => new Response(text), PATHS],
  static: [new Response(text), 1],
  json: [() => Response.json({ hello: "world" }), 1],
  async: [async () => new Response(text), 1],
  headers: [() => new Response(text, { headers }), 1],
};

let free = 0; // where the ring goes on
const FIELDS = [
  ["user-agent", "Mozilla/5.0 load"],
  ["accept", "*/*"],
  ["accept-encoding", "gzip, br"],
] as const;

/** Writes the record of a GET with the fields above. Gives its place. */
function request(path: string, target: number): number {
  const at = free;
  const head = [[":method", "GET"], [":scheme", "https"], [":authority", "127.0.0.1:4433"], [":path", path], ...FIELDS];
  let end = at + RECORD_SIZE;
  for (const [name, value] of head) end = writeField(queue.bytes, end, name, value);
  const view = new DataView(ring, at, RECORD_SIZE);
  view.setUint32(RECORD.size, end - at, true);
  view.setUint32(RECORD.type, EVENT.REQUEST | (FLAG.END << 16), true);
  view.setUint32(RECORD.object, 1000 + at, true);
  view.setUint32(RECORD.conn, 5, true);
  view.setUint32(RECORD.user_data, target, true);
  view.setUint32(RECORD.meta_len, end - at - RECORD_SIZE, true);
  free = (end + 63) & -64;
  return at;
}

const kinds = Object.entries(KINDS).map(([name, [value, paths]]) => {
  const arrival = new Arrival(dispatcher.records);
  arrival.owner = server;
  [arrival.route] = parseRoutes({ "/*": value });
  const target = dispatcher.addTarget(arrival);
  const records = Array.from({ length: paths }, (_, i) => request(paths === 1 ? `/${name}` : `/users/${1000 + i}/profile`, target));
  return { name, records, next: 0, best: Infinity };
});

for (let round = 0; round < ROUNDS; round++) {
  for (const kind of kinds) {
    const { records } = kind;
    const before = sent;
    const start = Bun.nanoseconds();
    for (let i = 0; i < REQUESTS; i++) {
      dispatcher.dispatch(records[kind.next]!);
      if (++kind.next === records.length) kind.next = 0;
    }
    kind.best = Math.min(kind.best, (Bun.nanoseconds() - start) / REQUESTS);
    if (sent - before !== REQUESTS || dispatcher.exchanges.size !== 0) fail(`${kind.name}: not every request was answered at once`);
  }
  await Bun.sleep(0);
}
console.log(JSON.stringify(Object.fromEntries(kinds.map(({ name, best }) => [`${name}_ns`, best]))));
process.exit(0);

function fail(why: string): never {
  console.error(`package: ${why}`);
  process.exit(1);
}
