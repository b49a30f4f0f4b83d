/** What options a server takes. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ENGINE_KEYS, ENGINE_OWN } from "../src/server/options/engine_options.ts";
import { checkOptions, checkReload } from "../src/server/options/options.ts";

const fetch = (): Response => new Response("ok");

function thrown(run: () => unknown): Error {
  try {
    run();
  } catch (error) {
    return error as Error;
  }
  throw new Error("nothing was thrown");
}

describe("port", () => {
  for (const port of [-1, 99_999, 1.5, NaN, Infinity, "70000"]) {
    test(`C01 ${port} is a RangeError that says what is taken`, () => {
      const error = thrown(() => checkOptions({ fetch, port }, {}));
      expect(error).toBeInstanceOf(RangeError);
      expect(error.message).toBe(`port must be a whole number from 0 to 65535, not ${port}`);
    });
  }

  test("C01 what is no number is a TypeError", () => {
    expect(thrown(() => checkOptions({ fetch, port: "http" }, {})).message).toBe('port must be a number from 0 to 65535, not "http"');
  });

  test("comes from the environment as in Bun.serve(), else it is 3000", () => {
    expect(checkOptions({ fetch }, {}).port).toBe(3000);
    expect(checkOptions({ fetch }, { NODE_PORT: "3" }).port).toBe(3);
    expect(checkOptions({ fetch }, { NODE_PORT: "3", PORT: "2" }).port).toBe(2);
    expect(checkOptions({ fetch }, { NODE_PORT: "3", PORT: "2", BUN_PORT: "1" }).port).toBe(1);
    expect(checkOptions({ fetch, port: 0 }, { PORT: "2" }).port).toBe(0);
    expect(checkOptions({ fetch }, { PORT: "", NODE_PORT: "3" }).port).toBe(3);
    expect(thrown(() => checkOptions({ fetch }, { PORT: "none" })).message).toBe(
      'port (PORT of the environment) must be a number from 0 to 65535, not "none"',
    );
    expect(checkOptions({ fetch, port: "4433" }, {}).port).toBe(4433);
  });
});

describe("other options", () => {
  test("C02 an empty hostname is a TypeError", () => {
    const error = thrown(() => checkOptions({ fetch, hostname: "" }));
    expect([error.constructor.name, error.message]).toEqual(["TypeError", "hostname must not be empty"]);
  });

  test("C03 neither fetch nor routes is a TypeError, either is enough", () => {
    for (const options of [{}, { routes: {} }, { routes: [] }]) {
      expect(thrown(() => checkOptions(options)).message).toBe("a server needs a fetch handler, or routes, or both");
    }
    expect(checkOptions({ fetch }).handlers.table.routes.map((r) => r.pattern)).toEqual(["/*"]);
    expect(checkOptions({ routes: { "/a": fetch } }).handlers.table.routes.map((r) => r.pattern)).toEqual(["/a"]);
  });

  test("C09 unknown keys are named, at every depth", () => {
    expect(thrown(() => checkOptions({ fetch, toString: 1 })).message).toStartWith('unknown option "toString"');
    expect(thrown(() => checkOptions({ fetch, maxBanana: 1 })).message).toStartWith('unknown option "maxBanana" (known: port, ');
    expect(thrown(() => checkOptions({ fetch, tls: { cert: "c", key: "k", certificate: "x" } })).message).toBe(
      'unknown option "tls.certificate" (known: cert, key, serverName, servername)',
    );
    expect(thrown(() => checkOptions({ fetch, pump: { every: 1 } })).message).toBe('unknown option "pump.every" (known: intervalMs)');
    expect(thrown(() => checkReload({ fetch, port: 1 }, false)).message).toBe(
      'reload() cannot change "port" (it takes routes, fetch, error, onLog)',
    );
  });

  test("C09 what Bun.serve() takes and HTTP/3 has no use for says why", () => {
    expect(thrown(() => checkOptions({ fetch, unix: "/tmp/x" })).message).toBe('option "unix": HTTP/3 runs over UDP');
    expect(thrown(() => checkOptions({ fetch, websocket: {} })).message).toBe('option "websocket": WebSocket is not served over HTTP/3');
    expect(thrown(() => checkOptions({ fetch, cert: "c" })).message).toBe('option "cert": it is an option of tls');
    const tls = { cert: "c", key: "k" };
    expect(thrown(() => checkOptions({ fetch, tls: { ...tls, ca: "x" } })).message).toBe(
      'option "tls.ca": clients are not asked for certificates',
    );
    expect(thrown(() => checkOptions({ fetch, tls: [tls, { ...tls, passphrase: "x" }] })).message).toBe(
      'option "tls[1].passphrase": an encrypted key is not supported: decrypt it first, with openssl pkey',
    );
    expect(checkOptions({ fetch, unix: undefined, tls: { ...tls, passphrase: undefined } }).engine).toBe(JSON.stringify({ tls: [tls] }));
  });

  test("null says as much as nothing, as in Bun.serve()", () => {
    const none = Object.fromEntries(
      "hostname tls certPath keyPath routes error maxRequestBodySize idleTimeout requestTimeoutMs development id pump queue onLog"
        .split(" ")
        .concat("quicDatagram", "rawDatagrams", "datagrams", "webtransport", "port", "engine")
        .map((name) => [name, null]),
    );
    const plain = (options: object): object => ({ ...checkOptions(options, {}), handlers: undefined });
    expect(plain({ fetch, ...none })).toEqual(plain({ fetch }));
  });

  test("a hostname may be written as in a URL; without one all addresses are meant", () => {
    expect(checkOptions({ fetch, hostname: "[::1]" }).hostname).toBe("::1");
    expect(checkOptions({ fetch }).hostname).toBeUndefined();
  });

  for (const [options, message] of [
    [{ maxRequestBodySize: -1 }, "maxRequestBodySize must be a whole number from 0 to 9007199254740991, not -1"],
    [{ idleTimeout: 3601 }, "idleTimeout must be 0 to 3600 seconds, not 3601"],
    [{ requestTimeoutMs: -1 }, "requestTimeoutMs must be 0 to 86400000 ms, not -1"],
    [{ pump: { intervalMs: 0 } }, "pump.intervalMs must be a whole number from 1 to 1000, not 0"],
    [{ queue: { capacity: 1 << 18 } }, "queue.capacity must be a whole number from 524288 to 268435456, not 262144"],
    [{ queue: { capacity: 600_000 } }, "queue.capacity must be a power of two, not 600000"],
  ] as const) {
    test(`C09 ${JSON.stringify(options)} is a RangeError`, () => {
      const error = thrown(() => checkOptions({ fetch, ...options }));
      expect([error.constructor.name, error.message]).toEqual(["RangeError", message]);
    });
  }

  test("handlers must be functions", () => {
    for (const name of ["fetch", "error", "onLog"]) {
      expect(thrown(() => checkOptions({ fetch, [name]: 5 })).message).toBe(`${name} must be a function`);
    }
  });

  test("every option of the engine can be set: by a name of its own, or under engine", () => {
    const documented = readFileSync(join(import.meta.dir, "../../../docs/options.md"), "utf8")
      .split("\n")
      .flatMap((line) => (line.startsWith("| `") ? [...line.split("|")[1]!.matchAll(/`(\w+)`/g)].map(([, key]) => key!) : []));
    const nested = ["incoming", "outgoing", "count_lost", "max_streams_bidi", "max_streams_uni", "max_data", "max_early_streams", "capsule_timeout_ms", "capsule_budget", "decision_timeout_ms", "max_procs", "gc_percent", "memory_limit"];
    const groups = ["datagrams", "webtransport", "go"];
    expect([...ENGINE_KEYS, ...Object.keys(ENGINE_OWN), ...nested].sort()).toEqual([...new Set([...documented, ...groups])].sort());
    const engine = { max_header_bytes: 2000, date: false, go: { max_procs: 2 } };
    expect(checkOptions({ fetch, engine, idleTimeout: 1 }).engine).toBe(JSON.stringify({ ...engine, idle_timeout_ms: 1000 }));
    expect(thrown(() => checkOptions({ fetch, engine: { idle_timeout_ms: 1 } })).message).toBe(
      'option "engine.idle_timeout_ms": it is called idleTimeout here',
    );
    expect(thrown(() => checkOptions({ fetch, engine: { maxBanana: 1 } })).message).toStartWith('unknown option "engine.maxBanana" (known: max_header_bytes,');
  });

  test("times become the engine's milliseconds", () => {
    const engine = (options: object): unknown => JSON.parse(checkOptions({ fetch, ...options }).engine);
    expect(engine({})).toEqual({});
    expect(engine({ idleTimeout: 1.5, requestTimeoutMs: 2000, maxRequestBodySize: 7 })).toEqual({
      idle_timeout_ms: 1500,
      request_timeout_ms: 2000,
      max_request_body_size: 7,
    });
    expect(engine({ idleTimeout: 0 })).toEqual({ idle_timeout_ms: 3_600_000 });
    expect(engine({ requestTimeoutMs: 0.5 })).toEqual({ request_timeout_ms: 1 });
  });

  test("the capacity of the queue, and how often to look", () => {
    const how = ({ interval, capacity }: { interval: number; capacity: number }): number[] => [interval, capacity];
    expect(how(checkOptions({ fetch }))).toEqual([0, 0]);
    expect(how(checkOptions({ fetch, pump: { intervalMs: 5 }, queue: { capacity: 1 << 22 } }))).toEqual([5, 1 << 22]);
    expect(thrown(() => checkOptions({ fetch, queue: { bytes: 1 } })).message).toBe('unknown option "queue.bytes" (known: capacity)');
  });
});

describe("datagrams and sessions", () => {
  const engine = (options: object): unknown => JSON.parse(checkOptions({ fetch, ...options }).engine);
  const session = (): void => {};

  test("D05 raw datagrams come with their handler, sessions with a route", () => {
    expect(engine({ quicDatagram: session, rawDatagrams: true, datagrams: { outgoing: 5, incoming: 7, countLost: true } })).toEqual({
      quic_datagrams: true,
      raw_datagrams: true,
      datagrams: { incoming: 7, outgoing: 5, count_lost: true },
    });
    expect(checkOptions({ fetch, datagrams: { incoming: 7 } }).incomingDatagrams).toBe(7);
    const tuned = [undefined, "auto", "bbr", "reno", "toString", 7].map((value) => checkOptions({ fetch, engine: { congestion_control: value } }).congestionControl);
    expect(tuned).toEqual(["default", "default", "low-latency", "throughput", "default", "default"]); // the engine refuses the last two
    const limits = { maxStreamsBidi: 3, maxStreamsUni: 4, maxData: 65_536, maxEarlyStreams: 0, capsuleBudget: 5 };
    const webtransport = { ...limits, capsuleTimeoutMs: 2500, decisionTimeoutMs: 1500 };
    expect(engine({ routes: { "/wt": { webtransport: session } }, webtransport })).toEqual({
      webtransport: {
        origins: ["*"],
        max_streams_bidi: 3,
        max_streams_uni: 4,
        max_data: 65_536,
        max_early_streams: 0,
        capsule_timeout_ms: 2500,
        capsule_budget: 5,
        decision_timeout_ms: 1500,
      },
    });
    expect(engine({ webtransport })).toEqual({});
  });

  test("D05 a handler of raw datagrams is enough for a server", () => {
    expect(checkOptions({ quicDatagram: session }).handlers.table.routes).toEqual([]);
  });

  test("C09 wrong ones are named", () => {
    expect(thrown(() => checkOptions({ fetch, quicDatagram: 1 })).message).toBe("quicDatagram must be a function");
    expect(thrown(() => checkOptions({ fetch, webtransport: { maxBanana: 1 } })).message).toStartWith('unknown option "webtransport.maxBanana"');
    expect(thrown(() => checkOptions({ fetch, datagrams: { incoming: 0 } })).message).toBe(
      "datagrams.incoming must be a whole number from 1 to 65535, not 0",
    );
    expect(thrown(() => checkOptions({ fetch, datagrams: { countLost: 1 } })).constructor.name).toBe("TypeError");
    expect(thrown(() => checkOptions({ fetch, datagrams: { countLost: 1 } })).message).toContain("datagrams.countLost");
    expect(thrown(() => checkOptions({ rawDatagrams: true, routes: { "/wt": { webtransport: session } } })).message).toBe(
      'route "/wt": webtransport needs HTTP/3 datagrams, which rawDatagrams turns off',
    );
  });
});

describe("tls", () => {
  const engine = (tls: unknown): unknown => (JSON.parse(checkOptions({ fetch, tls }).engine) as { tls: unknown }).tls;

  test("text, Buffers and arrays of them are given as text", () => {
    expect(engine({ cert: "CERT", key: Buffer.from("KEY") })).toEqual([{ cert: "CERT", key: "KEY" }]);
    expect(engine({ cert: ["A", new TextEncoder().encode("B")], key: "KEY" })).toEqual([{ cert: "A\nB", key: "KEY" }]);
  });

  test("a file is given by its name, so that the engine's errors name it", () => {
    expect(engine({ cert: Bun.file("/x/cert.pem"), key: Bun.file("/x/key.pem"), serverName: "a.example" })).toEqual([
      { cert_path: "/x/cert.pem", key_path: "/x/key.pem", server_name: "a.example" },
    ]);
    expect(engine({ cert: "C", key: "K", servername: "b.example" })).toEqual([{ cert: "C", key: "K", server_name: "b.example" }]);
  });

  test("several pairs are several", () => {
    const pair = { cert: "C", key: "K" };
    expect(engine([pair, { ...pair, serverName: "b" }])).toEqual([pair, { ...pair, server_name: "b" }]);
  });

  test("C07 halves, two ways at once and other types are TypeErrors", () => {
    expect(thrown(() => engine({ cert: "C" })).message).toBe("tls.key is missing");
    expect(thrown(() => engine({ cert: 5, key: "K" })).message).toBe(
      "tls.cert must be a string, a Buffer, a Bun.file() or an array of them, not 5",
    );
    expect(thrown(() => engine([])).message).toBe("tls must not be an empty array");
    expect(thrown(() => checkOptions({ fetch, certPath: "/c" })).message).toBe("certPath needs keyPath: the file with its key");
    expect(thrown(() => checkOptions({ fetch, certPath: "/c", keyPath: "/k", tls: { cert: "C", key: "K" } })).message).toBe(
      "tls and certPath/keyPath are two ways to say the same: give one",
    );
  });
});
