/** The C surface as include/zig_h3.h declares it, bound without the package: for tests that hold the two against each other. */
import { dlopen, FFIType, read, toArrayBuffer, type Pointer } from "bun:ffi";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dir, "../..");

export const headerPath = join(root, "include/zig_h3.h");
export const libraryPath = process.env.ZIG_H3_LIBPATH ?? join(root, "build/lib/libzigquicheh3.so");

const header = readFileSync(headerPath, "utf8").replace(/\/\*[^]*?\*\//g, " ");

/** A function of the header. */
export interface Prototype {
  name: string;
  returns: string;
  parameters: { type: string; name: string }[];
}

/** Every function that the header declares. */
export const prototypes: Prototype[] = [...header.matchAll(/ZIG_H3_API\s+([^;(]+?)(\w+)\s*\(([^)]*)\)\s*;/g)].map(
  ([, returns, name, parameters]) => ({
    name: name!,
    returns: returns!.trim(),
    parameters: parameters!
      .split(",")
      .map((p) => p.trim())
      .filter((p) => p !== "void" && p !== "")
      .map((p) => {
        const [, type, name] = /^(.*?)(\w+)$/s.exec(p)!;
        return { type: type!.replace(/\s+/g, " ").trim(), name: name! };
      }),
  }),
);

/** The enumerators and their values. */
export const constants: Record<string, number> = Object.fromEntries(
  [...header.matchAll(/\b(ZIG_H3_[A-Z0-9_]+)\s*=\s*(-?(?:0x)?[0-9a-fA-F]+)/g)].map(([, name, value]) => [name!, Number(value)]),
);

function ffiType(type: string): FFIType {
  if (type.includes("*")) return FFIType.ptr;
  const types: Record<string, FFIType> = {
    zig_h3_handle: FFIType.u64,
    uint64_t: FFIType.u64,
    size_t: FFIType.u64,
    uint32_t: FFIType.u32,
    int32_t: FFIType.i32,
    int64_t: FFIType.i64,
    uint16_t: FFIType.u16,
    void: FFIType.void,
  };
  const found = types[type];
  if (found === undefined) throw new Error(`no FFI type for ${JSON.stringify(type)}`);
  return found;
}

type Argument = number | bigint | Pointer | null;

/** Every function of the header, bound by hand of this file alone. */
export const symbols = dlopen(
  libraryPath,
  Object.fromEntries(
    prototypes.map(({ name, returns, parameters }) => [
      name,
      {
        args: parameters.map((p) => ffiType(p.type)),
        returns: returns.startsWith("const char") ? FFIType.ptr : ffiType(returns),
      },
    ]),
  ),
).symbols as unknown as Record<string, (...args: Argument[]) => number>;

/** Calls a function of the library. */
export function call(name: string, ...args: Argument[]): number {
  const symbol = symbols[name];
  if (symbol === undefined) throw new Error(`the header has no ${name}`);
  return Number(symbol(...args));
}

/** A C string that a function returned. */
export function text(name: string, ...args: Argument[]): string {
  const address = symbols[name]!(...args) as unknown as Pointer | null;
  if (address === null) throw new Error(`${name} returned NULL`);
  let length = 0;
  while (read.u8(address, length) !== 0) length++;
  return new TextDecoder().decode(new Uint8Array(toArrayBuffer(address, 0, length)).slice());
}

/** Memory of the library that no collector moves, and a view of it. */
export function memory(size: number): { address: Pointer; view: DataView } {
  const address = symbols.zig_h3_alloc!(size) as unknown as Pointer;
  return { address, view: new DataView(toArrayBuffer(address, 0, size)) };
}

/** A terminated C string in memory that stays. */
export function cString(s: string): Pointer {
  const bytes = new TextEncoder().encode(s + "\0");
  const { address, view } = memory(bytes.length);
  new Uint8Array(view.buffer).set(bytes);
  return address;
}

const out = memory(64);

/** Makes a queue. */
export function newQueue(): number {
  const code = call("zig_h3_queue_new", null, out.address);
  if (code !== 0) throw new Error(text("zig_h3_last_error"));
  return Number(out.view.getBigUint64(0, true));
}

/** Makes a server on 127.0.0.1 that delivers to a queue, with one route for everything. Not started. */
export function newServer(queue: number, options = "{}"): number {
  const config = memory(48);
  const json = new TextEncoder().encode(options);
  const optionsMemory = memory(json.length);
  new Uint8Array(optionsMemory.view.buffer).set(json);
  config.view.setUint32(0, 48, true);
  config.view.setBigUint64(8, BigInt(cString("127.0.0.1")), true);
  config.view.setBigUint64(32, BigInt(optionsMemory.address), true);
  config.view.setBigUint64(40, BigInt(json.length), true);
  if (call("zig_h3_server_new", config.address, queue, out.address) !== 0) throw new Error(text("zig_h3_last_error"));
  const server = Number(out.view.getBigUint64(0, true));
  if (call("zig_h3_server_route", server, null, cString("/*"), 0, 0, null) !== 0) throw new Error(text("zig_h3_last_error"));
  return server;
}

/** The port of a started server. */
export function portOf(server: number): number {
  if (call("zig_h3_server_port", server, out.address) !== 0) throw new Error(text("zig_h3_last_error"));
  return out.view.getUint16(0, true);
}

/** An event, copied. */
export interface Event {
  type: number;
  flags: number;
  object: number;
  code: number;
  status: number;
  aux: number;
  meta: Uint8Array;
  data: Uint8Array;
}

const event = memory(80);

/** The next event of a queue, or null. */
export function nextEvent(queue: number): Event | null {
  const code = call("zig_h3_next_event", queue, event.address);
  if (code < 0) throw new Error(`${text("zig_h3_error_name", code)}: ${text("zig_h3_last_error")}`);
  if (code === 0) return null;
  const { view } = event;
  const part = (at: number, length: number): Uint8Array =>
    length === 0
      ? new Uint8Array()
      : new Uint8Array(toArrayBuffer(Number(view.getBigUint64(at, true)) as Pointer, 0, length)).slice();
  return {
    type: view.getUint16(4, true),
    flags: view.getUint16(6, true),
    object: Number(view.getBigUint64(8, true)),
    code: view.getInt32(40, true),
    status: view.getUint32(44, true),
    aux: Number(view.getBigUint64(56, true)),
    meta: part(64, view.getUint32(48, true)),
    data: part(72, view.getUint32(52, true)),
  };
}

/** Waits for the next event of a type. Others that come before it are dropped, or kept in `passed`. */
export async function awaitEvent(queue: number, type: number, passed?: Event[], within = 30_000): Promise<Event> {
  const deadline = performance.now() + within;
  for (;;) {
    const came = nextEvent(queue);
    if (came?.type === type) return came;
    if (came !== null) passed?.push(came);
    if (came === null) {
      if (performance.now() > deadline) throw new Error(`no event ${type} within ${within} ms`);
      await Bun.sleep(1);
    }
  }
}

/** Bytes for a pointer parameter, in memory that stays. */
export function bytes(s: string): { at: Pointer; length: number } {
  return { at: cString(s), length: new TextEncoder().encode(s).length };
}

const counters = memory(1024);

/** Answers every request with "hello", polling by hand: for options that the package does not name. */
export class RawServer {
  readonly queue = newQueue();
  readonly handle: number;
  readonly port: number;
  #ended = false;
  #done: Promise<void>;

  constructor(options: string) {
    this.handle = newServer(this.queue, options);
    if (call("zig_h3_server_start", this.handle) !== 0) throw new Error(text("zig_h3_last_error"));
    this.port = portOf(this.handle);
    this.#done = this.#poll();
  }

  /** The server's counters by name. */
  stats(): Record<string, number> {
    const count = call("zig_h3_stats_snapshot", this.handle, counters.address, counters.view.byteLength / 8);
    return Object.fromEntries(
      Array.from({ length: count }, (_, i) => [text("zig_h3_stats_name", i), Number(counters.view.getBigUint64(i * 8, true))]),
    );
  }

  /** Frees the server, drains what is left, and frees the queue. */
  async end(): Promise<void> {
    this.#ended = true;
    await this.#done;
    call("zig_h3_server_free", this.handle);
    await awaitEvent(this.queue, constants.ZIG_H3_EVENT_SERVER_STOPPED!);
    call("zig_h3_queue_free", this.queue);
  }

  async #poll(): Promise<void> {
    const body = bytes("hello");
    while (!this.#ended) {
      const event = nextEvent(this.queue);
      if (event === null) await Bun.sleep(1);
      else if (event.type === constants.ZIG_H3_EVENT_REQUEST) {
        const flags = constants.ZIG_H3_SEND_FORGET!;
        const code = call("zig_h3_response_send", event.object, 200, null, 0, body.at, body.length, flags);
        if (code !== 0) throw new Error(text("zig_h3_last_error"));
      }
    }
  }
}

/** The fields of a packed header list. */
export function unpack(list: Uint8Array): [name: string, value: string][] {
  const view = new DataView(list.buffer, list.byteOffset, list.byteLength);
  const decoder = new TextDecoder();
  const fields: [string, string][] = [];
  for (let at = 0; at < list.length;) {
    const nameLength = view.getUint16(at, true);
    const valueLength = view.getUint32(at + 2, true);
    const value = at + 6 + nameLength;
    fields.push([decoder.decode(list.subarray(at + 6, value)), decoder.decode(list.subarray(value, value + valueLength))]);
    at = value + valueLength;
  }
  return fields;
}
