/** The events themselves, polled by hand: how requests, connections and servers end, each once and in order. */
import { afterAll, afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { Driver } from "./client.ts";
import * as native from "./native.ts";

// The machine may be busy with other suites: nothing fails for being slow.
setDefaultTimeout(60_000);

const { call, constants, awaitEvent } = native;
const driver = new Driver();
afterAll(async () => {
  expect(await driver.stop()).toBe("");
});

/** A number of the header, by its name. */
function number(name: string): number {
  const value = constants[`ZIG_H3_${name}`];
  if (value === undefined) throw new Error(`the header has no ZIG_H3_${name}`);
  return value;
}

const REQUEST = number("EVENT_REQUEST");
const STREAM_CLOSED = number("EVENT_STREAM_CLOSED");
const CONN_CLOSED = number("EVENT_CONN_CLOSED");
const SERVER_STOPPED = number("EVENT_SERVER_STOPPED");
const ABORTED = number("FLAG_ABORTED");
const REMOTE = number("FLAG_REMOTE");

let queue = 0;
let server = 0;
let port = 0;

beforeEach(() => {
  queue = native.newQueue();
  server = native.newServer(queue, '{"idle_timeout_ms":500}');
  expect(call("zig_h3_server_start", server)).toBe(0);
  port = native.portOf(server);
});

afterEach(() => {
  call("zig_h3_server_free", server);
  call("zig_h3_queue_free", queue);
});

/** Frees the server and returns all that still came, with the end of the server as the last of it. */
async function rest(): Promise<native.Event[]> {
  const passed: native.Event[] = [];
  expect(call("zig_h3_server_free", server)).toBe(0);
  const stopped = await awaitEvent(queue, SERVER_STOPPED, passed);
  expect(native.nextEvent(queue)).toBe(null);
  return [...passed, stopped];
}

/** The ends among events, as a test compares them. */
function ends(events: native.Event[]): { type: number; object: number; code: number; flags: number; aux: number }[] {
  return events
    .filter(({ type }) => [STREAM_CLOSED, CONN_CLOSED, SERVER_STOPPED].includes(type))
    .map(({ type, object, code, flags, aux }) => ({ type, object, code, flags, aux }));
}

/** Waits for the ends of so many objects. */
async function endsOf(count: number): Promise<native.Event[]> {
  const seen: native.Event[] = [];
  while (ends(seen).length < count) {
    const event = native.nextEvent(queue);
    if (event === null) await Bun.sleep(1);
    else seen.push(event);
  }
  return seen;
}

describe("events", () => {
  test("a request carries its pseudo fields first, its headers and its small body", async () => {
    const connection = await driver.connect(port);
    await connection.request("/p?q", {
      method: "POST",
      authority: "a.test",
      headers: [
        ["x-one", "1"],
        ["x-two", "2"],
      ],
      body: "small",
    });
    const event = await awaitEvent(queue, REQUEST);
    let body = new TextDecoder().decode(event.data);
    if ((event.flags & number("FLAG_END")) === 0) {
      const pieces: native.Event[] = [];
      await awaitEvent(queue, number("EVENT_BODY_END"), pieces);
      for (const piece of pieces) body += new TextDecoder().decode(piece.data);
    }
    expect(native.unpack(event.meta)).toEqual([
      [":method", "POST"],
      [":scheme", "https"],
      [":authority", "a.test"],
      [":path", "/p?q"],
      ["x-one", "1"],
      ["x-two", "2"],
    ]);
    expect(body).toBe("small");
    await connection.close();
    await rest();
  });

  test("S07 a client's abort ends the request once: ABORTED, REMOTE, RESET, with the client's code", async () => {
    const connection = await driver.connect(port);
    const exchange = await connection.request("/", { method: "POST", body: "begun", end: false });
    const request = (await awaitEvent(queue, REQUEST)).object;
    await exchange.abort(0x10c);
    const seen = ends(await endsOf(1));
    expect(seen).toEqual([
      { type: STREAM_CLOSED, object: request, code: number("ERR_RESET"), flags: ABORTED | REMOTE, aux: 0x10c },
    ]);
    expect(call("zig_h3_response_send", request, 200, null, 0, null, 0, 0)).toBe(number("ERR_STALE_HANDLE"));
    await connection.close();
    expect(ends(await rest()).filter(({ object }) => object === request)).toEqual([]);
  });

  test("S08 a closed connection ends each of its requests once, and then itself, with the client's code and words", async () => {
    const connection = await driver.connect(port);
    const requests = new Set<number>();
    for (let i = 0; i < 3; i++) {
      await connection.request("/", { method: "POST", body: "begun", end: false });
      requests.add((await awaitEvent(queue, REQUEST)).object);
    }
    await connection.close(0x1234, "enough of it");
    const seen = await endsOf(4);
    const closed = seen.filter(({ type }) => type === STREAM_CLOSED);
    expect(closed.map(({ code, flags }) => [code, flags])).toEqual(
      Array.from({ length: 3 }, () => [number("ERR_CLOSED"), ABORTED | REMOTE]),
    );
    expect(new Set(closed.map(({ object }) => object))).toEqual(requests);
    const last = seen.at(-1)!;
    expect([last.type, last.code, last.aux, last.flags & REMOTE, new TextDecoder().decode(last.data)]).toEqual([
      CONN_CLOSED,
      number("ERR_CLOSED"),
      0x1234,
      REMOTE,
      "enough of it",
    ]);
    expect(ends(await rest()).map(({ type }) => type)).toEqual([SERVER_STOPPED]);
  });

  test("N07 a client that vanishes: its request and its connection end once, IDLE", async () => {
    const connection = await driver.connect(port);
    await connection.request("/", { method: "POST", body: "begun", end: false });
    const request = (await awaitEvent(queue, REQUEST)).object;
    await connection.vanish();
    const seen = ends(await endsOf(2));
    expect(seen.map(({ type, code }) => [type, code])).toEqual([
      [STREAM_CLOSED, number("ERR_IDLE")],
      [CONN_CLOSED, number("ERR_IDLE")],
    ]);
    expect(seen[0]!.object).toBe(request);
    expect(ends(await rest()).map(({ type }) => type)).toEqual([SERVER_STOPPED]);
  });

  test("L07 a server stopped by force ends requests, then connections, then itself, each once", async () => {
    const connections = await Promise.all([driver.connect(port), driver.connect(port)]);
    for (const connection of connections) {
      await connection.request("/");
      await connection.request("/");
    }
    for (let i = 0; i < 4; i++) await awaitEvent(queue, REQUEST);
    expect(call("zig_h3_server_stop", server, 0)).toBe(0);
    const seen = ends(await endsOf(7));
    const shutdown = number("ERR_SHUTDOWN");
    expect(seen.map(({ type }) => type).filter((type) => type === STREAM_CLOSED)).toHaveLength(4);
    expect(seen.slice(0, 6).map(({ code }) => code)).toEqual(Array.from({ length: 6 }, () => shutdown));
    expect(seen.at(-1)!.type).toBe(SERVER_STOPPED);
    expect(new Set(seen.map(({ object }) => object)).size).toBe(7);
    for (const connection of connections) expect(await connection.closed()).toMatchObject({ by: "peer", application: true });
    expect(call("zig_h3_server_free", server)).toBe(0);
    expect(call("zig_h3_server_free", server)).toBe(number("ERR_STALE_HANDLE"));
    expect(native.nextEvent(queue)).toBe(null);
  });

  test("P07 a write past the high-water mark is cut, and WRITABLE follows once the client reads", async () => {
    const connection = await driver.connect(port, { maxStreamData: 4096, idleTimeout: 60 });
    const exchange = await connection.request("/", { allowance: 0 });
    const request = (await awaitEvent(queue, REQUEST)).object;
    const chunk = native.memory(256 << 10);
    const taken = native.memory(8);
    let written = 0;
    let code = 0;
    for (let i = 0; i < 100 && code === 0; i++) {
      taken.view.setBigUint64(0, 0n, true);
      code = call("zig_h3_response_write", request, chunk.address, chunk.view.byteLength, taken.address);
      const took = Number(taken.view.getBigUint64(0, true));
      written += took;
      if (took < chunk.view.byteLength) break;
    }
    // The mark is 1 MiB; a window's worth has left already.
    expect(written).toBeGreaterThanOrEqual(1 << 20);
    expect(written).toBeLessThanOrEqual((1 << 20) + (64 << 10));
    await exchange.allow();
    const writable = await awaitEvent(queue, number("EVENT_WRITABLE"));
    expect(writable.object).toBe(request);
    expect(writable.aux).toBeGreaterThan(0);
    expect(call("zig_h3_response_end", request, null, 0)).toBe(0);
    const report = await exchange.response();
    expect([report.status, report.ended, report.bytes]).toEqual([200, true, written]);
    await connection.close();
    await rest();
  });
});
