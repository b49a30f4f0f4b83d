// The few calls that the programs in this folder need, bound by hand: they test the library itself, so they keep clear of the
// package in bindings/bun.
import { dlopen, ptr, toArrayBuffer, type Pointer } from "bun:ffi";

export const SIGPWR = 30;

const SYMBOLS = {
  zig_h3_version: { args: [], returns: "cstring" },
  zig_h3_last_error: { args: [], returns: "cstring" },
  zig_h3_queue_new: { args: ["ptr", "ptr"], returns: "i32" },
  zig_h3_queue_free: { args: ["u64"], returns: "i32" },
  zig_h3_queue_wait: { args: ["u64", "i32"], returns: "i32" },
  zig_h3_next_event: { args: ["u64", "ptr"], returns: "i32" },
  zig_h3_server_new: { args: ["ptr", "u64", "ptr"], returns: "i32" },
  zig_h3_server_free: { args: ["u64"], returns: "i32" },
  zig_h3_server_route: { args: ["u64", "ptr", "ptr", "u32", "u64", "ptr"], returns: "i32" },
  zig_h3_server_start: { args: ["u64"], returns: "i32" },
  zig_h3_server_stop: { args: ["u64", "i32"], returns: "i32" },
  zig_h3_server_port: { args: ["u64", "ptr"], returns: "i32" },
  zig_h3_server_certificate_hash: { args: ["u64", "ptr"], returns: "i32" },
  zig_h3_response_send: { args: ["u64", "u32", "ptr", "u64", "ptr", "u64", "u32"], returns: "i32" },
} as const;

export function open(path: string) {
  return dlopen(path, SYMBOLS).symbols;
}

export type Library = ReturnType<typeof open>;

export function check(library: Library, result: number, call: string): number {
  if (result < 0) throw new Error(`${call}: ${result}: ${library.zig_h3_last_error()}`);
  return result;
}

/** A server on a free port of 127.0.0.1, with the routes that tests/peers/client asks for; user data tells them apart. */
export function startServer(library: Library): { queue: bigint; server: bigint; port: number; hash: string } {
  const out = new BigUint64Array(1);
  check(library, library.zig_h3_queue_new(null, ptr(out)), "queue_new");
  const queue = out[0]!;

  const hostname = Buffer.from("127.0.0.1\0");
  const config = new DataView(new ArrayBuffer(48));
  config.setUint32(0, 48, true);
  config.setBigUint64(8, BigInt(ptr(hostname)), true);
  check(library, library.zig_h3_server_new(ptr(new Uint8Array(config.buffer)), queue, ptr(out)), "server_new");
  const server = out[0]!;

  const routes: [string, string, number, number][] = [
    ["GET", "/path/:n", 0, Route.Path],
    ["GET", "/parts/:n", 0, Route.Path],
    ["POST", "/echo", 1, Route.Echo],
  ];
  for (const [method, pattern, flags, id] of routes) {
    const [m, p] = [Buffer.from(method + "\0"), Buffer.from(pattern + "\0")];
    check(library, library.zig_h3_server_route(server, ptr(m), ptr(p), flags, id, null), "server_route");
  }
  check(library, library.zig_h3_server_start(server), "server_start");

  const port = new Uint16Array(1);
  const hash = new Uint8Array(32);
  check(library, library.zig_h3_server_port(server, ptr(port)), "server_port");
  check(library, library.zig_h3_server_certificate_hash(server, ptr(hash)), "server_certificate_hash");
  return { queue, server, port: port[0]!, hash: Buffer.from(hash).toString("hex") };
}

export enum Route {
  Path = 1,
  Echo = 2,
}

/** Bytes behind a pointer that stands in memory, copied. */
export function bytesAt(address: bigint, length: number): Uint8Array<ArrayBuffer> {
  if (length === 0) return new Uint8Array(0);
  return new Uint8Array(toArrayBuffer(Number(address) as Pointer, 0, length)).slice();
}

const libc = dlopen("libc.so.6", {
  sigaction: { args: ["i32", "ptr", "ptr"], returns: "i32" },
  sigaltstack: { args: ["ptr", "ptr"], returns: "i32" },
}).symbols;

/** sa_flags of a signal's action, as glibc lays it out on 64-bit Linux: behind the handler and a mask of 1,024 bits. */
export function signalFlags(signal: number): number {
  const action = new Uint8Array(152);
  if (libc.sigaction(signal, null, ptr(action)) !== 0) throw new Error("sigaction failed");
  return new DataView(action.buffer).getUint32(8 + 128, true);
}

/** The signal stack of the calling thread: address, flags and size in one line, for comparing. */
export function signalStack(): string {
  const stack = new Uint8Array(24);
  if (libc.sigaltstack(null, ptr(stack)) !== 0) throw new Error("sigaltstack failed");
  const view = new DataView(stack.buffer);
  return `sp 0x${view.getBigUint64(0, true).toString(16)} flags ${view.getInt32(8, true)} size ${view.getBigUint64(16, true)}`;
}
