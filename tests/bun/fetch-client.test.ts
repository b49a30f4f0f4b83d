/** Clients as such: their options, and how long they live. What they are asked for is tested in the other fetch*.test.ts. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "../../bindings/bun/src/client/client.ts";
import { checkConnection, checkHost } from "../../bindings/bun/src/client/options.ts";
import { sharedClient } from "../../bindings/bun/src/client/shared_clients.ts";
import type { ConnectionOptions } from "../../bindings/bun/src/client/types.ts";
import { certificate } from "./certificate.ts";

setDefaultTimeout(30_000);

/** What a call throws: of this class, and saying this. */
function throws(call: () => unknown, of: typeof Error): string {
  try {
    call();
  } catch (error) {
    if (Object.getPrototypeOf(error) !== of.prototype) throw error;
    return (error as Error).message;
  }
  throw new Error("it threw nothing");
}

const { certPath, keyPath } = certificate("client");
const hash = "ab".repeat(32);

test("options become the engine's", () => {
  const given: ConnectionOptions = {
    tls: { ca: Bun.file(certPath), cert: Bun.file(certPath), key: Bun.file(keyPath), rejectUnauthorized: false, servername: "one.example" },
    serverCertificateHashes: [hash.toUpperCase(), new Uint8Array(32).fill(0xcd), { algorithm: "sha-256", value: new Uint8Array(32) }],
    hosts: { "a.example": "127.0.0.1", "b.example:443": ["::1", "127.0.0.1:444"] },
    pool: { maxConnections: 3, maxConnectionsPerOrigin: 2, maxQueued: 4, queueTimeoutMs: 10.5, idleConnectionMs: 0 },
    connectTimeoutMs: 100,
    earlyData: true,
    idleTimeout: 0.1,
    datagrams: { incoming: 7, outgoing: 8, countLost: true },
    webtransport: { maxStreamsBidi: 1, maxStreamsUni: 2, maxData: 65536, maxEarlyStreams: 0, capsuleTimeoutMs: 10, capsuleBudget: 5, decisionTimeoutMs: 20 },
    engine: { system_roots: true, congestion_control: "bbr" },
  };
  const { engine, incomingDatagrams, congestionControl } = checkConnection(given);
  expect([incomingDatagrams, congestionControl]).toEqual([7, "low-latency"]);
  expect(JSON.parse(engine)).toEqual({
    system_roots: true,
    congestion_control: "bbr",
    insecure: true,
    server_name: "one.example",
    roots_path: certPath,
    cert_path: certPath,
    key_path: keyPath,
    certificate_hashes: [hash, "cd".repeat(32), "00".repeat(32)],
    hosts: { "a.example": "127.0.0.1", "b.example:443": ["::1", "127.0.0.1:444"] },
    connect_timeout_ms: 100,
    early_data: true,
    idle_timeout_ms: 100,
    max_connections: 3,
    max_connections_per_origin: 2,
    max_queued: 4,
    queue_timeout_ms: 11,
    idle_connection_ms: 0,
    datagrams: { incoming: 7, outgoing: 8, count_lost: true },
    webtransport: {
      max_streams_bidi: 1, max_streams_uni: 2, max_data: 65536, max_early_streams: 0, capsule_budget: 5, capsule_timeout_ms: 10, decision_timeout_ms: 20,
    },
  });
  expect(checkConnection({}).engine).toBe("{}");
  expect(JSON.parse(checkConnection({ tls: { ca: ["one", "two"], rejectUnauthorized: true } }).engine)).toEqual({ roots: "one\ntwo" });
  expect(checkConnection({ tls: { ca: [] } }).engine).toBe("{}");
});

test("the engine takes every option", () => {
  const pem = { cert: Bun.file(certPath), key: Bun.file(keyPath) };
  const all: ConnectionOptions[] = [
    { tls: { ...pem, ca: Bun.file(certPath), serverName: "one.example" }, engine: { system_roots: true } },
    { serverCertificateHashes: [hash], earlyData: true },
    { tls: { rejectUnauthorized: false }, hosts: { "a.example": ["127.0.0.1:444", "[::1]:445"], "b.example:443": "::1" } },
    { pool: { maxConnections: 1, maxConnectionsPerOrigin: 1, maxQueued: 1, queueTimeoutMs: 10, idleConnectionMs: 0 }, connectTimeoutMs: 10, idleTimeout: 0.1 },
    { datagrams: { incoming: 1, outgoing: 1, countLost: true }, webtransport: { maxStreamsBidi: 1, maxStreamsUni: 1, maxData: 65536, maxEarlyStreams: 0, capsuleTimeoutMs: 10, capsuleBudget: 1, decisionTimeoutMs: 10 } },
    {
      engine: {
        response_timeout_ms: 1, body_timeout_ms: 1, write_timeout_ms: 10, header_timeout_ms: 10, keep_alive_ms: 0, max_header_bytes: 1024, receive_window: 4096,
        stream_receive_window: 65536, connection_receive_window: 65536, high_water_mark: 1024, max_queued_request_bytes: 1 << 20, reset_budget: 1,
        initial_packet_size: 1200, max_packet_size: 1300, initial_window: 2, congestion_control: "reno",
        qlog_path: tmpdir(), qlog_max_bytes: 4096, qlog_max_connections: 1, key_log_path: join(tmpdir(), `h3-keys-${process.pid}`),
      },
    },
  ];
  for (const options of all) new Client(checkConnection(options), checkHost({})).free();
  rmSync(join(tmpdir(), `h3-keys-${process.pid}`));
});

test("C09 a wrong option is named", () => {
  const wrong = (options: object): string => throws(() => checkConnection(options), TypeError);
  const outside = (options: object): string => throws(() => checkConnection(options), RangeError);
  expect(wrong({ tls: { caa: 1 } })).toContain('"tls.caa"');
  expect(wrong({ tls: { checkServerIdentity() {} } })).toContain("serverCertificateHashes");
  expect(wrong({ tls: { passphrase: "x" } })).toContain("openssl pkey");
  expect(wrong({ tls: { key: "x" } })).toContain("tls.cert");
  expect(wrong({ tls: { cert: "x" } })).toContain("tls.key");
  expect(wrong({ tls: { ca: "" } })).toContain("tls.ca");
  expect(wrong({ tls: { rejectUnauthorized: 0 } })).toContain("tls.rejectUnauthorized");
  expect(wrong({ serverCertificateHashes: ["xyz"] })).toContain("serverCertificateHashes[0]");
  expect(wrong({ serverCertificateHashes: [{ algorithm: "md5", value: new Uint8Array(32) }] })).toContain("sha-256");
  expect(wrong({ serverCertificateHashes: [new Uint8Array(31)] })).toContain("31 bytes");
  expect(wrong({ hosts: { a: 1 } })).toContain('hosts["a"]');
  expect(wrong({ engine: { insecure: true } })).toContain("tls.rejectUnauthorized");
  expect(wrong({ engine: { nothing: 1 } })).toContain('"engine.nothing"');
  expect(outside({ pool: { maxConnections: 0 } })).toContain("pool.maxConnections");
  expect(outside({ pool: { queueTimeoutMs: 9 } })).toContain("pool.queueTimeoutMs");
  expect(outside({ connectTimeoutMs: 9 })).toContain("connectTimeoutMs");
  expect(outside({ idleTimeout: 0 })).toContain("idleTimeout");
  expect(outside({ datagrams: { incoming: 0 } })).toContain("datagrams.incoming");
  expect(outside({ webtransport: { maxData: 1 } })).toContain("webtransport.maxData");
  // What the engine looks at itself, it names itself.
  let error: unknown;
  try {
    sharedClient({ hosts: { "a b": "127.0.0.1" } });
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toMatchObject({ name: "H3Error", code: "ZIG_H3_ERR_CONFIG" });
});

test("L03 a client is closed once, whoever asks how often, and takes no more then", async () => {
  const client = new Client(checkConnection({}), checkHost({}));
  expect(client.over).toBe(false);
  expect(client.stats()).toMatchObject({ connections_active: 0 });
  const closing = client.close(0);
  expect(client.over).toBe(true);
  await Promise.all([closing, client.close(-1), client.close(0)]);
  await client.close(0);
  expect(() => client.stats()).toThrow("closed");
  client.free();
  client.retire();
});

test("equal options share a client, and one that is closed is made anew", async () => {
  const one = sharedClient({ tls: { rejectUnauthorized: false } });
  expect(sharedClient({ tls: { rejectUnauthorized: false } })).toBe(one);
  expect(sharedClient()).not.toBe(one);
  expect(sharedClient({})).toBe(sharedClient());
  await one.close(0);
  expect(sharedClient({ tls: { rejectUnauthorized: false } })).not.toBe(one);
});

test("a thread keeps no more than 32 shared clients", async () => {
  const first = sharedClient({ connectTimeoutMs: 1000 });
  const kept = sharedClient({ connectTimeoutMs: 1001 });
  kept.opened();
  for (let i = 0; i < 32; i++) sharedClient({ connectTimeoutMs: 2000 + i });
  await new Promise((resolve) => setImmediate(resolve));
  expect(first.over).toBe(true);
  expect(kept.over).toBe(false); // something of it is still open
  kept.hold();
  kept.letGo();
  await new Promise((resolve) => setImmediate(resolve));
  expect(kept.over).toBe(false); // though nobody waits for it
  kept.ended();
  await new Promise((resolve) => setImmediate(resolve));
  expect(kept.over).toBe(true);
});

test("of shared clients the one that nobody has asked for longest goes first", async () => {
  const asked = sharedClient({ connectTimeoutMs: 3000 });
  for (let i = 0; i < 40; i++) {
    sharedClient({ connectTimeoutMs: 4000 + i });
    expect(sharedClient({ connectTimeoutMs: 3000 })).toBe(asked);
  }
});
