/** The numbers of the contract against each other, and against the library where it has been built. */
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { errorName, H3Error } from "../src/native/errors.ts";
import * as layout from "../src/native/layout.ts";
import { library, libraryPath, version } from "../src/native/library.ts";
import { symbols } from "../src/native/symbols.ts";

const header = readFileSync(join(import.meta.dir, "../../../include/zig_h3.h"), "utf8");
const built = existsSync(libraryPath());

/** The enumerators of the header with a prefix. */
function enumerators(prefix: string): Record<string, number> {
  const found = header.matchAll(new RegExp(`\\b${prefix}([A-Z0-9_]+) = (-?(?:0x)?[0-9a-f]+)`, "g"));
  return Object.fromEntries([...found].map(([, name, value]) => [name!, Number(value)]));
}

describe("layout", () => {
  test("A03 every enumerator of the header is here, with its value", () => {
    expect({ OK: 0, ...enumerators("ZIG_H3_ERR_") }).toEqual(layout.ERROR);
    expect(enumerators("ZIG_H3_EVENT_")).toEqual(layout.EVENT);
    expect(enumerators("ZIG_H3_FLAG_")).toEqual(layout.FLAG);
    expect(enumerators("ZIG_H3_LOG_")).toEqual(layout.LOG_LEVEL);
    expect(enumerators("ZIG_H3_ROUTE_")).toEqual(layout.ROUTE_FLAG);
    expect(enumerators("ZIG_H3_SEND_")).toEqual(layout.SEND_FLAG);
    expect(enumerators("ZIG_H3_STRUCT_")).toEqual(layout.STRUCT);
    expect(enumerators("ZIG_H3_WT_OPEN_")).toEqual(layout.WT_OPEN);
    expect(enumerators("ZIG_H3_WT_(?=BIDI|UNI)")).toEqual(layout.WT_STREAM);
  });

  test("A03 every function of the header is bound, and no other", () => {
    const declared = [...header.matchAll(/^ZIG_H3_API [^;(]*?\b(zig_h3_\w+)\(/gm)].map(([, name]) => name!);
    expect(Object.keys(symbols).sort()).toEqual(declared.sort());
  });

  test("an error has the name of its code", () => {
    expect(errorName(-13)).toBe("ZIG_H3_ERR_ADDRESS_IN_USE");
    expect(errorName(-12345)).toBe("ZIG_H3_ERR_UNKNOWN");
    const error = new H3Error(-408, "too late");
    expect([error.code, error.errno, error.name, error.message]).toEqual(["ZIG_H3_ERR_TIMEOUT", -408, "H3Error", "too late"]);
    expect(new H3Error(-408).message).toBe("ZIG_H3_ERR_TIMEOUT");
    const ofTheSystem = [layout.ERROR.ADDRESS_IN_USE, layout.ERROR.ADDRESS_UNAVAILABLE, layout.ERROR.PERMISSION, layout.ERROR.RESOLVE];
    expect(ofTheSystem.map((errno) => new H3Error(errno).code)).toEqual(["EADDRINUSE", "EADDRNOTAVAIL", "EACCES", "ENOTFOUND"]);
  });
});

describe.if(built)("library", () => {
  test("A02 it says its version", () => {
    expect(version()).toMatch(/^\d+\.\d+\.\d+\/quic-go \d+\.\d+\.\d+$/);
  });

  test("A03 names and sizes are the library's own", () => {
    const native = library();
    for (const [name, code] of Object.entries(layout.ERROR)) {
      expect(native.zig_h3_error_name(code).toString()).toBe(name === "OK" ? "ZIG_H3_OK" : `ZIG_H3_ERR_${name}`);
    }
    for (const [name, type] of Object.entries(layout.EVENT)) {
      expect(native.zig_h3_event_name(type).toString()).toBe(`ZIG_H3_EVENT_${name}`);
    }
    expect(native.zig_h3_struct_size(layout.STRUCT.EVENT)).toBe(layout.EVENT_SIZE);
    expect(native.zig_h3_struct_size(layout.STRUCT.DATAGRAM)).toBe(layout.DATAGRAM_SIZE);
  });
});

describe("where the library is looked for", () => {
  test("A01 ZIG_H3_LIBPATH before ZIG_H3_LIBDIR before build/lib", () => {
    const file = process.platform === "darwin" ? "libzigquicheh3.dylib" : "libzigquicheh3.so";
    const root = join(import.meta.dir, "../../..");
    expect(libraryPath({ ZIG_H3_LIBPATH: "/a/b.so", ZIG_H3_LIBDIR: "/c" })).toBe("/a/b.so");
    expect(libraryPath({ ZIG_H3_LIBDIR: "/c" })).toBe(`/c/${file}`);
    expect(libraryPath({})).toBe(join(root, "build/lib", file));
  });

  test("A01 a missing library: one sentence with where and how", () => {
    const child = Bun.spawnSync([process.execPath, "-e", `require(${JSON.stringify(join(import.meta.dir, "../src/index.ts"))}).version()`], {
      env: { ...process.env, ZIG_H3_LIBPATH: "/no/such/lib.so" },
    });
    expect(child.exitCode).toBe(1);
    expect(child.stderr.toString()).toContain(
      "libzigquicheh3 is not at /no/such/lib.so (ZIG_H3_LIBPATH or ZIG_H3_LIBDIR say where to look, else build/lib): " +
        "build it with `npx -y rust-just build` in a checkout of zig_h3",
    );
  });
});
