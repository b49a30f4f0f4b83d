// What single calls cost from Bun, in nanoseconds, without the package around them: a poll of an empty queue, an event drained in
// a batch, a reply. Prints one line of JSON.
//
//   poll.ts LOAD    LOAD is the load generator's program; it makes real requests, which queue up while this thread sleeps
//
// A drained event is one whose head was read in the mapped ring (type, handle, lengths) and whose memory was given back.
import { dlopen, type Pointer, toArrayBuffer } from "bun:ffi";
import { existsSync } from "node:fs";

const LATER_AND_FORGET = 0x2 | 0x1;
const EVENT_PAD = 0;
const EVENT_REQUEST = 1;
const SECONDS = 4;
const WARM_BATCHES = 20;

// 64-bit integers are declared as pointers: a call with a number for u64 costs five times as much.
const symbols = {
  zig_h3_abi_version: { args: [], returns: "u32" },
  zig_h3_alloc: { args: ["ptr"], returns: "ptr" },
  zig_h3_last_error: { args: [], returns: "cstring" },
  zig_h3_queue_new: { args: ["ptr", "ptr"], returns: "i32" },
  zig_h3_queue_map: { args: ["ptr", "ptr", "ptr"], returns: "i32" },
  zig_h3_queue_peek: { args: ["ptr", "u32", "ptr"], returns: "i32" },
  zig_h3_queue_advance: { args: ["ptr", "ptr"], returns: "i32" },
  zig_h3_queue_wait: { args: ["ptr", "i32"], returns: "i32" },
  zig_h3_server_new: { args: ["ptr", "ptr", "ptr"], returns: "i32" },
  zig_h3_server_route: { args: ["ptr", "ptr", "ptr", "u32", "ptr", "ptr"], returns: "i32" },
  zig_h3_server_start: { args: ["ptr"], returns: "i32" },
  zig_h3_server_port: { args: ["ptr", "ptr"], returns: "i32" },
  zig_h3_response_send: { args: ["ptr", "u32", "ptr", "ptr", "ptr", "ptr", "u32"], returns: "i32" },
  zig_h3_flush: { args: [], returns: "i32" },
} as const;

const { symbols: h3 } = dlopen(library(), symbols);

/** Memory that the collector does not know, so that its address stays good. */
const ARENA = 4096;
const arena = Number(h3.zig_h3_alloc(at(ARENA)));
const memory = toArrayBuffer(at(arena), 0, ARENA);
const words = new Uint32Array(memory);
const view = new DataView(memory);
let used = 0;
const out = place(new Uint8Array(16)); // for calls that write a handle, a port, an address and a size
const span = place(new Uint8Array(16)); // zig_h3_queue_span; a ring is smaller than 4 GiB, so that the low words tell all
const SPAN = (span - arena) / 4;

check(h3.zig_h3_queue_new(null, at(out)));
const queue = at(wide(out));
check(h3.zig_h3_queue_map(queue, at(out), at(out + 8)));
const heads = new Uint32Array(toArrayBuffer(at(wide(out)), 0, wide(out + 8)));

const config = place(new Uint8Array(48)); // zig_h3_server_config
view.setUint32(config - arena, 48, true);
view.setBigUint64(config - arena + 8, BigInt(place("127.0.0.1\0")), true);
check(h3.zig_h3_server_new(at(config), queue, at(out)));
const server = at(wide(out));
check(h3.zig_h3_server_route(server, at(place("GET\0")), at(place("/\0")), 0, null, null));
check(h3.zig_h3_server_start(server));
check(h3.zig_h3_server_port(server, at(out)));
const port = view.getUint16(out - arena, true);

const header = packed("content-type", "text/plain");
const headers = place(header);
const body = place("hello world");

const requests = new Float64Array(1 << 16); // the handles of a batch
let asked = 0; // how many they are

while (check(h3.zig_h3_queue_wait(queue, 100)) === 1) drain(); // the server's own start
const call = each(10_000_000, () => h3.zig_h3_abi_version());
const emptyPoll = each(10_000_000, () => h3.zig_h3_queue_peek(queue, 1024, at(span)));

const load = Bun.spawn([Bun.argv[2]!, "-addr", `127.0.0.1:${port}`, "-connections", "20", "-streams", "40", "-seconds", String(SECONDS)], {
  stdout: "ignore",
  stderr: "inherit",
});
const drained: number[] = [];
const replied: number[] = [];
const sizes: number[] = [];
for (let batch = 0; load.exitCode === null; batch++) {
  await Bun.sleep(0); // lets Bun see that the load has ended
  Bun.sleepSync(25); // meanwhile the queue fills
  const start = Bun.nanoseconds();
  const events = drain();
  const middle = Bun.nanoseconds();
  reply();
  const end = Bun.nanoseconds();
  check(h3.zig_h3_flush());
  if (batch >= WARM_BATCHES && asked >= 100) {
    drained.push((middle - start) / events);
    replied.push((end - middle) / asked);
    sizes.push(events);
  }
}
if ((await load.exited) !== 0 || drained.length === 0) {
  console.error("poll: the load generator failed, or made too few requests");
  process.exit(1);
}
console.log(
  JSON.stringify({
    call_ns: call,
    empty_poll_ns: emptyPoll,
    drained_event_ns: median(drained),
    reply_ns: median(replied),
    batch_events: median(sizes),
    batches: sizes.length,
  }),
);
process.exit(0);

/** Drains the queue until it is empty, keeping the handles of requests, and gives the number of events. */
function drain(): number {
  let events = 0;
  asked = 0;
  for (;;) {
    const records = check(h3.zig_h3_queue_peek(queue, 1024, at(span)));
    if (records === 0) return events;
    let head = words[SPAN]! >>> 2;
    for (let i = 0; i < records; i++) {
      const type = heads[head + 1]! & 0xffff;
      if (type === EVENT_REQUEST) requests[asked++] = heads[head + 2]! + heads[head + 3]! * 0x1_0000_0000;
      if (type !== EVENT_PAD) events++;
      head += ((heads[head]! + 63) >>> 6) << 4;
    }
    check(h3.zig_h3_queue_advance(queue, at(words[SPAN + 2]!)));
  }
}

/** Answers the requests of a batch. */
function reply(): void {
  for (let i = 0; i < asked; i++) {
    check(h3.zig_h3_response_send(at(requests[i]!), 200, at(headers), at(header.length), at(body), at(11), LATER_AND_FORGET));
  }
}

/** The cost of a call: the best of five runs, since everything that disturbs makes it longer. */
function each(times: number, call: () => unknown): number {
  let best = Infinity;
  for (let run = 0; run < 5; run++) {
    const start = Bun.nanoseconds();
    for (let i = 0; i < times / 5; i++) call();
    best = Math.min(best, (Bun.nanoseconds() - start) / (times / 5));
  }
  return best;
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

function check(result: number): number {
  if (result < 0) throw new Error(`${result}: ${h3.zig_h3_last_error()}`);
  return result;
}

/** A 64-bit number below 2^53 in the arena. */
function wide(address: number): number {
  const word = (address - arena) / 4;
  return words[word]! + words[word + 1]! * 0x1_0000_0000;
}

function at(value: number): Pointer {
  return value as Pointer;
}

/** Puts a value into the arena and gives its address. */
function place(value: string | Uint8Array): number {
  const data = typeof value === "string" ? new TextEncoder().encode(value) : value;
  const address = arena + used;
  new Uint8Array(memory).set(data, used);
  used += (data.length + 15) & ~15;
  return address;
}

function packed(name: string, value: string): Uint8Array {
  const list = new Uint8Array(6 + name.length + value.length);
  new DataView(list.buffer).setUint16(0, name.length, true);
  new DataView(list.buffer).setUint32(2, value.length, true);
  list.set(new TextEncoder().encode(name + value), 6);
  return list;
}

function library(): string {
  const file = `libzigquicheh3.${process.platform === "darwin" ? "dylib" : "so"}`;
  const path = process.env.ZIG_H3_LIBPATH ?? `${process.env.ZIG_H3_LIBDIR ?? `${import.meta.dir}/../../build/lib`}/${file}`;
  if (!existsSync(path)) throw new Error(`no library at ${path}: build it first`);
  return path;
}
