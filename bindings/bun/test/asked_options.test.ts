import { expect, test } from "bun:test";
import { AskedOptions } from "../src/client/asked_options.ts";

const given = { tls: { rejectUnauthorized: false }, pool: { maxConnections: 3, maxQueued: 5 }, idleTimeout: 7 };

test("options are known again, in the same objects or in others", () => {
  const asked = AskedOptions.of(given)!;
  expect(asked.equal(given)).toBe(true);
  expect(asked.equal(structuredClone(given))).toBe(true);
  expect(asked.equal({ ...given, pool: { maxQueued: 5, maxConnections: 3 }, hosts: undefined } as object)).toBe(true);
  expect(asked.equal({ ...given, engine: null } as object)).toBe(true);
});

test("what differs is not taken for the same", () => {
  const asked = AskedOptions.of(given)!;
  const { idleTimeout: _, ...without } = given;
  for (const other of [
    without,
    { ...given, idleTimeout: 8 },
    { ...given, earlyData: true },
    { ...given, tls: {} },
    { ...given, tls: undefined },
    { ...given, tls: { rejectUnauthorized: false, ca: undefined } },
    { ...given, tls: { serverName: undefined, rejectUnauthorized: true } },
    { ...given, tls: { rejectUnauthorized: false, ca: "x" } },
    { ...given, pool: { maxConnections: 3 } },
    { ...given, pool: { maxConnections: 3, maxQueued: 6 } },
    { ...given, tls: Object.create({ rejectUnauthorized: false }) },
    { ...given, tls: "x" },
    {},
  ]) {
    expect(asked.equal(other as object)).toBe(false);
  }
});

test("what was given as undefined is not taken for something else", () => {
  const asked = AskedOptions.of({ tls: { ca: undefined } } as object)!;
  expect(asked.equal({ tls: { ca: undefined } } as object)).toBe(true);
  for (const tls of [{ rejectUnauthorized: false }, { cert: "x" }, {}]) expect(asked.equal({ tls })).toBe(false);
});

test("an object that is changed afterwards is another one", () => {
  const own = structuredClone(given);
  const asked = AskedOptions.of(own)!;
  own.pool.maxQueued = 6;
  expect(asked.equal(own)).toBe(false);
  own.pool.maxQueued = 5;
  expect(asked.equal(own)).toBe(true);
});

test("what would have to be looked into is not kept", () => {
  for (const more of [
    { tls: { ca: Bun.file("x") } },
    { hosts: { a: ["127.0.0.1"] } },
    { serverCertificateHashes: [new Uint8Array(32)] },
    { tls: Object.create({ rejectUnauthorized: false }) },
    { tls: () => {} },
  ]) {
    expect(AskedOptions.of({ ...given, ...more } as object)).toBeUndefined();
  }
});
