/** The library as a whole: where it is found, what it exports, and that no handle and no thread brings it down. */
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as layout from "../../bindings/bun/src/native/layout.ts";
import { symbols } from "../../bindings/bun/src/native/symbols.ts";
import { Child } from "./child.ts";
import { Driver, sha256 } from "./client.ts";
import * as native from "./native.ts";

// The machine may be busy with other suites: nothing fails for being slow.
setDefaultTimeout(60_000);

const folder = mkdtempSync(join(tmpdir(), "zig-h3-abi-"));
const driver = new Driver();
afterAll(async () => {
  rmSync(folder, { recursive: true });
  expect(await driver.stop()).toBe("");
});

const { call, constants, prototypes } = native;
const version = native.text("zig_h3_version");

/** Runs a program to its end with an environment. */
async function run(
  program: string,
  env: Record<string, string> = {},
): Promise<{ code: number | null; lines: string[]; stderr: string }> {
  const { code, lines, stderr } = await new Child(program, [], { ZIG_H3_LIBPATH: "", ZIG_H3_LIBDIR: "", ...env }).exit();
  return { code, lines, stderr };
}

describe("loading", () => {
  test("A01 the library is found in the build folder, by ZIG_H3_LIBDIR and by ZIG_H3_LIBPATH", async () => {
    const named = join(folder, "renamed.so");
    const within = join(folder, "dir");
    mkdirSync(within, { recursive: true });
    copyFileSync(native.libraryPath, named);
    copyFileSync(native.libraryPath, join(within, "libzigquicheh3.so"));
    const environments: Record<string, string>[] = [{}, { ZIG_H3_LIBDIR: within }, { ZIG_H3_LIBPATH: named }];
    for (const env of environments) {
      expect(await run("programs/version.ts", env)).toEqual({ code: 0, lines: [version], stderr: "" });
    }
  });

  test("A01 a missing library is an Error that names where it looked and how to build it", async () => {
    const environments: Record<string, string>[] = [
      { ZIG_H3_LIBDIR: join(folder, "nowhere") },
      { ZIG_H3_LIBPATH: join(folder, "nowhere.so") },
    ];
    for (const env of environments) {
      const { lines } = await run("programs/version.ts", env);
      expect(lines).toHaveLength(1);
      expect(lines[0]).toStartWith("Error: ");
      expect(lines[0]).toContain(Object.values(env)[0]!);
      expect(lines[0]).toContain("rust-just build");
    }
    expect(readdirSync(folder)).not.toContain("nowhere");
  });

  test("A01 a library that has added less to the contract than this package needs is named with its version, one that has added more is not refused for that", async () => {
    const own = [call("zig_h3_abi_version"), call("zig_h3_abi_minor")] as const;
    const refused: boolean[] = [];
    for (const more of [-1, 1]) {
      const [source, library] = [join(folder, "minor.c"), join(folder, `minor${more}.so`)];
      await Bun.write(source, `int zig_h3_abi_version(void) { return ${own[0]}; } int zig_h3_abi_minor(void) { return ${own[1] + more}; }`);
      expect(Bun.spawnSync(["gcc", "-shared", "-fPIC", "-o", library, source]).exitCode).toBe(0);
      const { lines } = await run("programs/version.ts", { ZIG_H3_LIBPATH: library });
      refused.push(lines[0]!.includes(`${library} speaks version ${own[0]}.${own[1] + more} of the zig_h3 contract`));
    }
    expect(refused).toEqual([true, false]); // the latter lacks the functions
  });

  test("A02 the version is the same in the main thread and in a Worker", async () => {
    expect(version).toMatch(/^\d+\.\d+\.\d+\/quic-go \d+\.\d+\.\d+$/);
    const worker = new Worker(join(import.meta.dir, "programs/version-worker.ts"));
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    worker.onmessage = (message: MessageEvent<string>) => resolve(message.data);
    worker.onerror = (error) => reject(new Error(error.message));
    expect(await promise).toBe(version);
    worker.terminate();
  });

  test("A10 loaded twice, in four Workers, and left with a live server: exit code 0 at once", async () => {
    const child = new Child("programs/exit-with-server.ts");
    for (let i = 0; i < 4; i++) expect(await child.line()).toBe(version);
    expect(await child.line()).toBe("exiting");
    const { code, stderr, ms } = await child.exit();
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(ms).toBeLessThan(1000);
  });
});

describe("A03 header and library", () => {
  test("A03 the library exports exactly what the header declares, each also as _v1", () => {
    const nm = Bun.spawnSync(["nm", "-D", "--defined-only", native.libraryPath]);
    const exported = nm.stdout
      .toString()
      .trim()
      .split("\n")
      .map((line) => line.split(" "))
      .filter(([, kind]) => kind !== "A")
      .map(([, , name]) => name!.replace(/@.*/, ""))
      .sort();
    const declared = prototypes.flatMap(({ name }) => [name, `${name}_v1`]).sort();
    expect(exported).toEqual(declared);
  });

  test("A03 the package binds exactly what the header declares, with as many arguments of the same width", () => {
    // Handles, sizes and 64-bit numbers go as ptr in the package, which is the same register.
    const width = (type: unknown): string => (["ptr", "u64", "cstring"].includes(String(type)) ? "64" : String(type));
    const ours = Object.fromEntries(
      prototypes.map(({ name, returns, parameters }) => [
        name,
        [...parameters.map((p) => p.type), returns].map((type) =>
          width(
            type.includes("*")
              ? "ptr"
              : ({ zig_h3_handle: "u64", uint64_t: "u64", size_t: "u64" }[type] ?? type.replace(/^(.).*?(\d+)_t$/, "$1$2")),
          ),
        ),
      ]),
    );
    const theirs = Object.fromEntries(
      Object.entries(symbols).map(([name, { args, returns }]) => [name, [...args, returns].map(width)]),
    );
    // A size that fits 32 bits is read as that.
    ours.zig_h3_struct_size = ["u32", "u32"];
    expect(theirs).toEqual(ours);
  });

  test("A03 the package's sizes, offsets and numbers are those of the C compiler", () => {
    const structs: [string, number, Record<string, number>][] = [
      ["record", layout.RECORD_SIZE, layout.RECORD],
      ["event", layout.EVENT_SIZE, { ...layout.RECORD, meta: 64, data: 72 }],
      ["queue_config", layout.QUEUE_CONFIG_SIZE, layout.QUEUE_CONFIG],
      ["server_config", layout.SERVER_CONFIG_SIZE, layout.SERVER_CONFIG],
      ["client_config", layout.CLIENT_CONFIG_SIZE, layout.CLIENT_CONFIG],
      ["fetch_config", layout.FETCH_CONFIG_SIZE, layout.FETCH_CONFIG],
      ["session_config", layout.SESSION_CONFIG_SIZE, layout.SESSION_CONFIG],
      ["queue_span", layout.QUEUE_SPAN_SIZE, layout.QUEUE_SPAN],
    ];
    const enums: [string, Record<string, number>][] = [
      ["ZIG_H3_ERR_", Object.fromEntries(Object.entries(layout.ERROR).filter(([name]) => name !== "OK"))],
      ["ZIG_H3_EVENT_", layout.EVENT],
      ["ZIG_H3_FLAG_", layout.FLAG],
      ["ZIG_H3_LOG_", layout.LOG_LEVEL],
      ["ZIG_H3_ROUTE_", layout.ROUTE_FLAG],
      ["ZIG_H3_SEND_", layout.SEND_FLAG],
      ["ZIG_H3_STRUCT_", layout.STRUCT],
      ["ZIG_H3_FETCH_", layout.FETCH_FLAG],
      ["ZIG_H3_SESSION_", layout.SESSION_FLAG],
      ["ZIG_H3_CONGESTION_", layout.CONGESTION_CONTROL],
    ];
    const source = join(folder, "layout.c");
    const lines = [
      ...structs.flatMap(([name, size, fields]) => [
        `_Static_assert(sizeof(zig_h3_${name}) == ${size}, "${name}");`,
        ...Object.entries(fields).map(([f, at]) => `_Static_assert(offsetof(zig_h3_${name}, ${f}) == ${at}, "${name}.${f}");`),
      ]),
      ...enums.flatMap(([prefix, names]) =>
        Object.entries(names).map(([name, value]) => `_Static_assert(${prefix}${name} == ${value}, "${prefix}${name}");`),
      ),
      `_Static_assert(ZIG_H3_ABI_VERSION == ${layout.ABI_VERSION}, "version");`,
    ];
    writeFileSync(source, `#include <zig_h3.h>\n${lines.join("\n")}\n`);
    const include = join(native.headerPath, "..");
    const compiled = Bun.spawnSync([
      "gcc",
      "-std=c11",
      "-Wall",
      "-Wextra",
      "-Werror",
      "-pedantic",
      "-I",
      include,
      "-c",
      source,
      "-o",
      "/dev/null",
    ]);
    expect(compiled.stderr.toString()).toBe("");
    // Nothing of the header is missing in the package's tables.
    for (const [prefix, names] of enums) {
      const declared = Object.keys(constants).filter((name) => name.startsWith(prefix));
      expect(declared.map((name) => name.slice(prefix.length)).sort()).toEqual(Object.keys(names).sort());
    }
    for (const [name, size] of structs) {
      expect([name, call("zig_h3_struct_size", constants[`ZIG_H3_STRUCT_${name.toUpperCase()}`]!)]).toEqual([name, size]);
    }
    expect(call("zig_h3_struct_size", 99)).toBe(0);
    expect(call("zig_h3_abi_version")).toBe(layout.ABI_VERSION);
  });

  test("A03 names of results and events are those of the header", () => {
    for (const [name, value] of Object.entries(constants)) {
      if (name.startsWith("ZIG_H3_ERR_")) expect(native.text("zig_h3_error_name", value)).toBe(name);
      if (name.startsWith("ZIG_H3_EVENT_")) expect(native.text("zig_h3_event_name", value)).toBe(name);
    }
    expect(native.text("zig_h3_error_name", -12345)).toBe("ZIG_H3_ERR_UNKNOWN");
    expect(native.text("zig_h3_event_name", 12345)).toBe("ZIG_H3_EVENT_UNKNOWN");
  });

  test("no JSCallback anywhere in the bindings", () => {
    const files = readdirSync(join(import.meta.dir, "../../bindings"), { recursive: true, encoding: "utf8" }).filter(
      (name) => !name.includes("node_modules") && /\.(ts|js|mjs|json|md)$/.test(name),
    );
    expect(files.length).toBeGreaterThan(0);
    const guilty = files.filter((name) =>
      readFileSync(join(import.meta.dir, "../../bindings", name), "utf8").includes("JSCallback"),
    );
    expect(guilty).toEqual([]);
  });
});

describe("A04 handles", () => {
  const { ZIG_H3_ERR_INVALID_HANDLE, ZIG_H3_ERR_STALE_HANDLE, ZIG_H3_ERR_WRONG_KIND, ZIG_H3_ERR_INVALID_ARGUMENT } =
    constants as Record<string, number>;
  const scratch = native.memory(4096);
  const path = native.cString("/pattern");
  const url = native.bytes("https://localhost/");
  /** What fetches and sessions are asked for with: it has to be right before the handle is looked at. */
  const asked = (size: number): typeof scratch => {
    const config = native.memory(size);
    config.view.setUint32(0, size, true);
    const at = size === layout.FETCH_CONFIG_SIZE ? layout.FETCH_CONFIG : layout.SESSION_CONFIG;
    config.view.setBigUint64(at.url, BigInt(url.at), true);
    config.view.setBigUint64(at.url_len, BigInt(url.length), true);
    return config;
  };
  const configs: Record<string, typeof scratch> = { fetch: asked(layout.FETCH_CONFIG_SIZE), session: asked(layout.SESSION_CONFIG_SIZE) };

  /** Arguments that would do, around the handle in question. */
  function fitting(parameters: native.Prototype["parameters"], handle: number): (number | typeof scratch.address)[] {
    return parameters.map(({ type, name }) => {
      if (type === "zig_h3_handle") return handle;
      if (name === "pattern") return path;
      if (name === "name" || name === "value" || name === "method") return path;
      const config = configs[/zig_h3_(fetch|session)_config/.exec(type)?.[1] ?? ""];
      if (config !== undefined) return config.address;
      if (type.includes("*")) return scratch.address;
      if (name === "status") return 400; // fits a response and the rejection of a session
      if (name === "flags") return 0;
      if (name === "capacity") return 4096;
      if (name === "out_len") return 1;
      return name.endsWith("len") ? 0 : 1;
    });
  }

  // server_new takes its queue behind the config, which has to be right first.
  const taking = prototypes.filter((p) => p.parameters[0]?.type === "zig_h3_handle");
  const kindOf = (name: string): "queue" | "server" | "request" => // what there is one of that is gone; the others are none of these
    /zig_h3_(queue|next_event)/.test(name) ? "queue" : /zig_h3_(server|stats)/.test(name) ? "server" : "request";

  const queue = native.newQueue();
  const server = native.newServer(queue);
  const gone = { queue: native.newQueue(), server: native.newServer(queue) };
  call("zig_h3_queue_free", gone.queue);
  call("zig_h3_server_free", gone.server);
  afterAll(() => {
    expect(call("zig_h3_server_free", server)).toBe(0);
    expect(call("zig_h3_server_free", server)).toBe(ZIG_H3_ERR_STALE_HANDLE!);
    expect(call("zig_h3_queue_free", queue)).toBe(0);
    expect(call("zig_h3_queue_free", queue)).toBe(ZIG_H3_ERR_STALE_HANDLE!);
  });

  for (const { name, parameters } of taking) {
    test(`A04 ${name} with zero, garbage, stale and wrong handles`, () => {
      const codes = (handle: number): number => call(name, ...fitting(parameters, handle));
      expect(codes(0)).toBe(ZIG_H3_ERR_INVALID_HANDLE!);
      for (const garbage of [1, 0xffff, 2 ** 48 + 5, 15 * 2 ** 48 + 2 ** 24 + 1, 2 ** 53 - 1]) {
        expect([garbage, codes(garbage)]).toEqual([garbage, ZIG_H3_ERR_INVALID_HANDLE!]);
      }
      const kind = kindOf(name);
      const wrong = kind === "queue" ? server : queue;
      expect(codes(wrong)).toBe(ZIG_H3_ERR_WRONG_KIND!);
      if (kind !== "request") expect(codes(gone[kind])).toBe(ZIG_H3_ERR_STALE_HANDLE!);
    });
  }

  test("A04 zig_h3_server_new with a queue that is none", () => {
    const config = native.memory(48);
    config.view.setUint32(0, 48, true);
    const codes = [0, 2 ** 53 - 1, gone.queue, server].map((handle) =>
      call("zig_h3_server_new", config.address, handle, scratch.address),
    );
    expect(codes).toEqual([
      ZIG_H3_ERR_INVALID_HANDLE!,
      ZIG_H3_ERR_INVALID_HANDLE!,
      ZIG_H3_ERR_STALE_HANDLE!,
      ZIG_H3_ERR_WRONG_KIND!,
    ]);
  });

  test("A04 null where a pointer is needed", () => {
    const cases: [string, (number | typeof path | null)[]][] = [
      ["zig_h3_queue_new", [null, null]],
      ["zig_h3_next_event", [queue, null]],
      ["zig_h3_next_events", [queue, null, 4096, 1, null]],
      ["zig_h3_queue_map", [queue, null, null]],
      ["zig_h3_queue_peek", [queue, 1, null]],
      ["zig_h3_queue_fd", [queue, null]],
      ["zig_h3_server_new", [null, queue, scratch.address]],
      ["zig_h3_server_route", [server, null, null, 0, 0, null]],
    ];
    for (const [name, args] of cases) expect([name, call(name, ...args)]).toEqual([name, ZIG_H3_ERR_INVALID_ARGUMENT!]);
  });
});

describe("polling without the package", () => {
  test("A05 an idle queue gives nothing at once, and waits 50 ms without spinning", () => {
    const queue = native.newQueue();
    expect(native.nextEvent(queue)).toBe(null);
    expect(call("zig_h3_queue_wait", queue, 0)).toBe(0);
    const cpu = process.cpuUsage();
    const began = performance.now();
    for (let i = 0; i < 10; i++) expect(call("zig_h3_queue_wait", queue, 50)).toBe(0);
    const took = performance.now() - began;
    const { user, system } = process.cpuUsage(cpu);
    expect(took).toBeGreaterThanOrEqual(500);
    expect(user + system).toBeLessThan(250_000);
    expect(call("zig_h3_queue_wake", queue)).toBe(0);
    expect(call("zig_h3_queue_wait", queue, -1)).toBe(0);
    expect(call("zig_h3_queue_free", queue)).toBe(0);
  });

  test("a buffer too small for the first event says how much it wants, and loses nothing", async () => {
    const queue = native.newQueue();
    const server = native.newServer(queue);
    const buffer = native.memory(64 << 10);
    const needed = native.memory(8);
    expect(call("zig_h3_server_start", server)).toBe(0);
    expect(call("zig_h3_queue_wait", queue, 5000)).toBe(1);
    expect(call("zig_h3_next_events", queue, buffer.address, 8, 10, needed.address)).toBe(constants.ZIG_H3_ERR_BUFFER_TOO_SMALL!);
    const size = Number(needed.view.getBigUint64(0, true));
    expect(size).toBeGreaterThanOrEqual(64);
    expect(call("zig_h3_next_events", queue, buffer.address, size, 10, needed.address)).toBe(1);
    expect(buffer.view.getUint16(4, true)).toBe(constants.ZIG_H3_EVENT_SERVER_STARTED!);
    expect(buffer.view.getUint32(44, true)).toBe(native.portOf(server));
    expect(call("zig_h3_server_free", server)).toBe(0);
    expect(call("zig_h3_queue_free", queue)).toBe(0);
  });

  test("P09 a second end, a write after the end, a header after the headers: ENDED, and one intact response", async () => {
    const queue = native.newQueue();
    const server = native.newServer(queue);
    const { ZIG_H3_ERR_ENDED, ZIG_H3_ERR_STALE_HANDLE, ZIG_H3_EVENT_REQUEST, ZIG_H3_EVENT_STREAM_CLOSED } = constants as Record<
      string,
      number
    >;
    const taken = native.memory(8);
    expect(call("zig_h3_server_start", server)).toBe(0);
    // The client's window holds the ends of both responses back, so that they stay in the state in question.
    const connection = await driver.connect(native.portOf(server), { maxStreamData: 4096 });
    const tail = "the rest ".repeat(10_000);
    const body = native.bytes("one");
    const rest = native.bytes(tail);
    const name = native.bytes("x-late");
    const late = (request: number): Record<string, number> => ({
      status: call("zig_h3_response_status", request, 404),
      header: call("zig_h3_response_header", request, name.at, name.length, body.at, body.length),
      send: call("zig_h3_response_send", request, 500, null, 0, body.at, body.length, 0),
      write: call("zig_h3_response_write", request, body.at, body.length, taken.address),
      end: call("zig_h3_response_end", request, body.at, body.length),
      trailers: call("zig_h3_response_send_trailers", request, null, 0),
    });
    const ended = ZIG_H3_ERR_ENDED!;
    const all = { status: ended, header: ended, send: ended, write: ended, end: ended, trailers: ended };

    // In parts: after the first write the headers are gone, after the end everything is.
    const parts = await connection.request("/parts", { allowance: 0 });
    const first = (await native.awaitEvent(queue, ZIG_H3_EVENT_REQUEST!)).object;
    expect(call("zig_h3_response_write", first, body.at, body.length, taken.address)).toBe(0);
    expect(call("zig_h3_response_status", first, 404)).toBe(ended);
    expect(call("zig_h3_response_header", first, name.at, name.length, body.at, body.length)).toBe(ended);
    expect(call("zig_h3_response_send", first, 500, null, 0, body.at, body.length, 0)).toBe(ended);
    expect(call("zig_h3_response_end", first, rest.at, rest.length)).toBe(0);
    expect(late(first)).toEqual(all);

    // In one call.
    const whole = await connection.request("/whole", { allowance: 0 });
    const second = (await native.awaitEvent(queue, ZIG_H3_EVENT_REQUEST!)).object;
    expect(call("zig_h3_response_send", second, 200, null, 0, rest.at, rest.length, 0)).toBe(0);
    expect(late(second)).toEqual(all);

    for (const [exchange, expected] of [
      [parts, `one${tail}`],
      [whole, tail],
    ] as const) {
      await exchange.allow();
      const report = await exchange.response();
      expect([report.status, report.ended, report.trailers, report.sha256]).toEqual([200, true, null, sha256(expected)]);
    }
    const gone = [
      await native.awaitEvent(queue, ZIG_H3_EVENT_STREAM_CLOSED!),
      await native.awaitEvent(queue, ZIG_H3_EVENT_STREAM_CLOSED!),
    ];
    expect(new Set(gone.map((event) => event.object))).toEqual(new Set([first, second]));
    const stale = ZIG_H3_ERR_STALE_HANDLE!;
    expect(late(first)).toEqual({ status: stale, header: stale, send: stale, write: stale, end: stale, trailers: stale });

    await connection.close();
    expect(call("zig_h3_server_free", server)).toBe(0);
    await native.awaitEvent(queue, constants.ZIG_H3_EVENT_SERVER_STOPPED!);
    expect(call("zig_h3_queue_free", queue)).toBe(0);
  });
});
