/** Finds libzigquicheh3, checks it, and gives its functions. It is never unloaded: a Go library cannot be. */
import { dlopen } from "bun:ffi";
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { H3Error } from "./errors.ts";
import {
  ABI,
  ABI_VERSION,
  CLIENT_CONFIG_SIZE,
  FETCH_CONFIG_SIZE,
  QUEUE_CONFIG_SIZE,
  QUEUE_SPAN_SIZE,
  RECORD_SIZE,
  SERVER_CONFIG_SIZE,
  SESSION_CONFIG_SIZE,
  STRUCT,
} from "./layout.ts";
import { symbols, type Symbols } from "./symbols.ts";

let loaded: Symbols | undefined;

/**
 * The file that is loaded: `ZIG_H3_LIBPATH` (a file), else `ZIG_H3_LIBDIR` (a folder), else `build/lib` of this repository.
 * @param env the environment to look in
 */
export function libraryPath(env: Record<string, string | undefined> = process.env): string {
  if (env.ZIG_H3_LIBPATH) return resolve(env.ZIG_H3_LIBPATH);
  const file = process.platform === "darwin" ? "libzigquicheh3.dylib" : "libzigquicheh3.so";
  return join(env.ZIG_H3_LIBDIR ? resolve(env.ZIG_H3_LIBDIR) : resolve(import.meta.dir, "../../../../build/lib"), file);
}

/**
 * The native library's functions, loaded on the first call.
 * @throws Error when there is no such file (it says where it was looked for, and how to build it), when the system cannot load it,
 * and when it speaks another version of the contract
 */
export function library(): Symbols {
  return (loaded ??= load(libraryPath()));
}

/** The native library's version and quic-go's, as `"1.0.0/quic-go 0.65.0"`. */
export function version(): string {
  return library().zig_h3_version().toString();
}

/** The error of a native call that failed just now on this thread. */
export function lastError(code: number): H3Error {
  return new H3Error(code, library().zig_h3_last_error().toString());
}

/** Passes a result through, or throws the error that it is. */
export function check(result: number): number {
  if (result < 0) throw lastError(result);
  return result;
}

function load(path: string): Symbols {
  if (!existsSync(path)) {
    throw new Error(
      `libzigquicheh3 is not at ${path} (ZIG_H3_LIBPATH or ZIG_H3_LIBDIR say where to look, else build/lib): ` +
        "build it with `npx -y rust-just build` in a checkout of zig_h3",
    );
  }
  refuseMusl();
  // First what every version has: a library of another contract may lack the rest, and that it does would say nothing.
  const { symbols: probe } = dlopen(path, { zig_h3_abi_version: symbols.zig_h3_abi_version });
  const abi = probe.zig_h3_abi_version();
  if (abi !== ABI_VERSION) {
    throw new Error(`${path} speaks version ${abi} of the zig_h3 contract, this package version ${ABI_VERSION}: build it again`);
  }
  const minor = minorOf(path);
  if (minor < ABI.MINOR) {
    throw new Error(`${path} speaks version ${abi}.${minor} of the zig_h3 contract, this package version ${abi}.${ABI.MINOR}: build it again`);
  }
  const native = dlopen(path, symbols).symbols as unknown as Symbols;
  for (const [kind, size] of [
    [STRUCT.RECORD, RECORD_SIZE],
    [STRUCT.QUEUE_CONFIG, QUEUE_CONFIG_SIZE],
    [STRUCT.SERVER_CONFIG, SERVER_CONFIG_SIZE],
    [STRUCT.CLIENT_CONFIG, CLIENT_CONFIG_SIZE],
    [STRUCT.FETCH_CONFIG, FETCH_CONFIG_SIZE],
    [STRUCT.SESSION_CONFIG, SESSION_CONFIG_SIZE],
    [STRUCT.QUEUE_SPAN, QUEUE_SPAN_SIZE],
  ] as const) {
    if (native.zig_h3_struct_size(kind) !== size) {
      throw new Error(`${path} was built for structs of other sizes than this package knows: build it again`);
    }
  }
  return native;
}

/** What the library has added to the contract. */
function minorOf(path: string): number {
  try {
    return dlopen(path, { zig_h3_abi_minor: symbols.zig_h3_abi_minor }).symbols.zig_h3_abi_minor();
  } catch {
    return 0; // the first one had no such function
  }
}

/** musl cannot load a Go shared library (golang/go#54805) and would say something about static TLS, or crash. */
function refuseMusl(): void {
  if (process.platform !== "linux") return;
  let maps: string;
  try {
    maps = readFileSync("/proc/self/maps", "latin1");
  } catch {
    return; // no /proc: let the loader speak for itself
  }
  if (/\/ld-musl-[^/]*\.so/.test(maps)) {
    throw new Error("libzigquicheh3 needs glibc: musl (Alpine) cannot load a Go shared library (golang/go#54805)");
  }
}
