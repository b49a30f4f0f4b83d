/** Servers that answer wrongly, late or not at all: each is an error with a name, and never a short success. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { H3Client, H3FetchInit } from "../../bindings/bun/src/index.ts";
import { OddServer, OK, type Step } from "./odd_server.ts";
import { failure, Suite, until } from "./suite.ts";

const suite = new Suite();
let server: OddServer;
let client: H3Client;
/** Opens gates, by a connection of its own. */
let doorman: H3Client;
beforeAll(async () => {
  server = await OddServer.start();
  [client, doorman] = [0, 1].map(() => suite.client(undefined, { tls: { ca: Bun.file(server.certPath) } })) as [H3Client, H3Client];
});
afterAll(() => server.stop());

const FIN: Step = { fin: true };
const ask = (steps: Step[], init?: H3FetchInit) => client.fetch(server.url(...steps), init);

/** Stands where an answer goes on once its head has come: what breaks it off could overtake that. */
const LATER: Step = { gate: "" };
let gates = 0;

/** The steps with a gate of their own, and what opens it. */
function gated(steps: Step[]): { steps: Step[]; open(): Promise<unknown> } {
  const name = `gate ${gates++}`;
  return { steps: steps.map((step) => (step === LATER ? { gate: name } : step)), open: async () => (await doorman.fetch(server.url({ open: name }, OK, FIN))).text() };
}

/** What becomes of an answer: its status and text, or the code that the fetch or its body fails with. */
async function outcome(given: Step[], init?: H3FetchInit): Promise<unknown[]> {
  let response: Response;
  const { steps, open } = gated(given);
  try {
    response = await ask(steps, init);
  } catch (error) {
    expect(error).toBeInstanceOf(TypeError);
    return ["fetch", ((error as Error).cause as { code: string }).code];
  }
  if (given.includes(LATER)) await open();
  try {
    return [response.status, await response.text()];
  } catch (error) {
    expect(error).toBeInstanceOf(TypeError);
    return [response.status, ((error as Error).cause as { code: string }).code];
  }
}

/** The same of Bun's own fetch, by HTTP/3. What stands before the gate is read before that is opened: else it may be lost. */
async function outcomeInBun(given: Step[]): Promise<unknown[]> {
  const { steps, open } = gated(given);
  const opens = given.indexOf(LATER);
  const before = given.slice(0, Math.max(opens, 0)).map((step) => ("data" in step ? step.data : "")).join("");
  const init = { protocol: "http3", tls: { rejectUnauthorized: false }, signal: AbortSignal.timeout(20_000) };
  let response: Response;
  try {
    response = await fetch(server.url(...steps), init as RequestInit);
  } catch (error) {
    return ["fetch", (error as { code?: unknown }).code ?? String(error)];
  }
  try {
    const reader = response.body?.getReader();
    let text = "";
    while (text.length < before.length) text += Buffer.from((await reader!.read()).value!).toString();
    if (opens >= 0) await open();
    for (let read = await reader?.read(); read !== undefined && !read.done; read = await reader!.read()) text += Buffer.from(read.value).toString();
    return [response.status, text];
  } catch (error) {
    return [response.status, (error as { code?: unknown }).code ?? String(error)];
  }
}

const TRUNCATED = "ZIG_H3_ERR_TRUNCATED";
const PROTOCOL = "ZIG_H3_ERR_PROTOCOL";
const head = (...fields: [string, string][]): Step => ({ head: [[":status", "200"], ...fields] });

describe("F13 answers that are none", () => {
  // Bun's own fetch, by HTTP/3, takes five of them for whole: the 799, what is cut inside a frame or reset, and both kinds of wrong trailers. For
  // nothing at all it waits for ever, which is no case of a test.
  const cases: [string, Step[], ours: unknown[], buns: unknown[] | null][] = [
    ["a response", [OK, { data: "abc" }, FIN], [200, "abc"], [200, "abc"]],
    ["in pieces", [OK, { data: "a" }, LATER, { data: "bc" }, FIN], [200, "abc"], [200, "abc"]],
    ["a length that is kept", [head(["content-length", "3"]), LATER, { data: "abc" }, FIN], [200, "abc"], [200, "abc"]],
    ["nothing", [FIN], ["fetch", TRUNCATED], null],
    ["an informational response alone", [{ head: [[":status", "103"]] }, FIN], ["fetch", TRUNCATED], ["fetch", "HTTP3StreamReset"]],
    ["no status", [{ head: [["a", "b"]] }, FIN], ["fetch", PROTOCOL], ["fetch", "HTTP3ProtocolError"]],
    ["a status of words", [{ head: [[":status", "okay"]] }, FIN], ["fetch", PROTOCOL], ["fetch", "HTTP3ProtocolError"]],
    ["a status that a Response cannot have", [{ head: [[":status", "799"]] }, FIN], ["fetch", PROTOCOL], [799, ""]],
    ["a name in upper case", [head(["X-A", "b"]), FIN], ["fetch", PROTOCOL], ["fetch", "HTTP3ProtocolError"]],
    ["a field of HTTP/1", [head(["connection", "close"]), FIN], ["fetch", PROTOCOL], ["fetch", "HTTP3ProtocolError"]],
    ["a length that is too long, known at once", [head(["content-length", "4"]), { data: "abc" }, FIN], [200, TRUNCATED], [200, "HTTP3ContentLengthMismatch"]],
    ["a length that is too long, known later", [head(["content-length", "4"]), LATER, { data: "abc" }, FIN], [200, TRUNCATED], [200, "HTTP3ContentLengthMismatch"]],
    ["a length that is too short", [head(["content-length", "2"]), LATER, { data: "abc" }, FIN], [200, PROTOCOL], [200, "HTTP3ContentLengthMismatch"]],
    ["cut inside a frame", [OK, LATER, { raw: "0005616263" }, FIN], [200, PROTOCOL], [200, "abc"]],
    ["a body behind trailers", [OK, LATER, { data: "a" }, { head: [["x", "y"]] }, { data: "b" }, FIN], [200, PROTOCOL], [200, "a"]],
    ["a pseudo-header in trailers", [OK, LATER, { data: "a" }, { head: [[":status", "200"]] }, FIN], [200, PROTOCOL], [200, "a"]],
    ["reset before the head", [{ reset: 0x102 }], ["fetch", "ZIG_H3_ERR_RESET"], ["fetch", "HTTP3StreamReset"]],
    ["reset in the body", [OK, { data: "abc" }, LATER, { reset: 0x102 }], [200, "ZIG_H3_ERR_RESET"], [200, "abc"]],
    ["turned away", [{ reset: 0x10b }], ["fetch", "ZIG_H3_ERR_REJECTED"], ["fetch", "HTTP3StreamReset"]],
    ["a body of 204", [{ head: [[":status", "204"]] }, { data: "a" }, FIN], [204, ""], [204, ""]],
  ];
  for (const [what, steps, expected, buns] of cases) {
    test(`F13 ${what}`, async () => {
      expect(await outcome(steps)).toEqual(expected);
      expect(await outcome([OK, { data: "well" }, FIN])).toEqual([200, "well"]);
    });

    if (buns !== null) test(`F13 ${what}, to Bun's own fetch`, async () => expect(await outcomeInBun(steps)).toEqual(buns));
  }

  test("F13 a connection that is closed in the body, and before the head: the next one is another", async () => {
    const before = client.stats().connections_total!;
    expect(await outcome([OK, { data: "abc" }, LATER, { close: 0x102 }])).toEqual([200, "ZIG_H3_ERR_CLOSED"]);
    expect(await outcome([{ close: 0x102 }])).toEqual(["fetch", "ZIG_H3_ERR_CLOSED"]);
    expect(await outcome([OK, { data: "well" }, FIN])).toEqual([200, "well"]);
    expect(client.stats().connections_total! - before).toBeGreaterThan(1);
  });

  test("F13 the code that the server gave is told", async () => {
    const error = (await failure(ask([{ reset: 0x10f }]))) as Error;
    expect(error.cause).toMatchObject({ name: "H3Error", code: "ZIG_H3_ERR_RESET", wireCode: 0x10f });
    expect(error.message).toContain(server.origin);
  });

  test("F13 a push, a second SETTINGS, a control stream anew: the connection ends, by name", async () => {
    const push: Step = { uni: "0100" };
    const settings: Step = { uni: "000400" };
    for (const step of [push, settings]) {
      const [where, code] = await outcome([step, { gate: "never" }]);
      expect([where, code]).toEqual(["fetch", PROTOCOL]);
    }
    expect(await outcome([OK, { data: "well" }, FIN])).toEqual([200, "well"]);
  });
});

describe("informational responses", () => {
  test("P13 those that come before the response are kept", async () => {
    const response = await ask([{ head: [[":status", "103"], ["link", "</a>"]] }, { wait: 30 }, { head: [[":status", "100"]] }, OK, { data: "abc" }, FIN]);
    expect(response.informational.map(({ status, headers }) => [status, headers.get("link")])).toEqual([[103, "</a>"], [100, null]]);
    expect(response.h3.informational).toBe(response.informational);
    expect(await response.text()).toBe("abc");
  });

  test("P13 a flood of them ends the fetch, by name", async () => {
    expect(await outcome([{ repeat: 1000, steps: [{ head: [[":status", "103"]] }] }, OK, FIN])).toEqual(["fetch", "ZIG_H3_ERR_TOO_LARGE"]);
  });
});

describe("early data", () => {
  test("F15 safe requests go out as such where that is asked for, and a POST never", async () => {
    const early = suite.client(undefined, { tls: { ca: Bun.file(server.certPath) }, earlyData: true, pool: { idleConnectionMs: 0 } });
    const plain = suite.client(undefined, { tls: { ca: Bun.file(server.certPath) }, pool: { idleConnectionMs: 0 } });
    const answer: Step[] = [OK, { data: "well" }, FIN];
    for (const [to, method, body, expected] of [[early, "GET", null, 1], [early, "HEAD", null, 2], [early, "POST", "x", 2], [early, "DELETE", null, 2], [plain, "GET", null, 0]] as const) {
      // The first request finds nothing that is known, and leaves a ticket.
      await until(() => to.stats().connections_active === 0);
      if (to.stats().connections_total === 0) await (await to.fetch(server.url(...answer))).text();
      await until(() => to.stats().connections_active === 0);
      const response = await to.fetch(server.url(...answer), { method, body });
      expect(await response.text()).toBe(method === "HEAD" ? "" : "well");
      const safe = to === early && (method === "GET" || method === "HEAD");
      expect([method, to.stats().fetches_early, response.h3.early]).toEqual([method, expected, safe]);
    }
  });
});

describe("servers that take their time", () => {
  test("F09 one that never answers, in the time of the client", async () => {
    const hasty = suite.client(undefined, { tls: { ca: Bun.file(server.certPath) }, engine: { response_timeout_ms: 50 } });
    const error = await failure(hasty.fetch(server.url({ wait: 60_000 })));
    expect(error).toMatchObject({ name: "TimeoutError", cause: { code: "ZIG_H3_ERR_TIMEOUT" } });
    const stalled = suite.client(undefined, { tls: { ca: Bun.file(server.certPath) }, engine: { body_timeout_ms: 100 } });
    const response = await stalled.fetch(server.url(OK, { data: "abc" }, { wait: 60_000 }));
    expect(await failure(response.text())).toMatchObject({ name: "TimeoutError" });
  });

  test("F12 GOAWAY in the middle: what is under way finishes, the next fetch has a connection of its own", async () => {
    const fresh = suite.client(undefined, { tls: { ca: Bun.file(server.certPath) } });
    const { steps, open } = gated([{ goaway: 4 }, OK, { data: "a" }, LATER, { data: "b" }, FIN]);
    const response = await fresh.fetch(server.url(...steps));
    const first = response.h3.connection!.id;
    await open();
    expect(await response.text()).toBe("ab");
    await until(() => fresh.stats().connections_active === 0); // it is closed once the last fetch of it has ended
    const next = await fresh.fetch(server.url(OK, { data: "next" }, FIN));
    expect(next.h3.connection!.id).not.toBe(first);
    expect(await next.text()).toBe("next");
  });

  test("a server that wants no more of the request's body: the stream is cancelled, and its answer comes", async () => {
    let cancelled = false;
    const body = new ReadableStream({ pull: (c) => void c.enqueue(new Uint8Array(16 << 10)), cancel: () => void (cancelled = true) });
    const response = await ask([{ stop: 0x100 }, { wait: 50 }, OK, { data: "enough" }, FIN], { method: "POST", body, duplex: "half" });
    expect(await response.text()).toBe("enough");
    await until(() => cancelled);
  });

  test("headers beyond the bound end the fetch, by name", async () => {
    const large: [string, string][] = Array.from({ length: 70 }, (_, i) => [`x-${i}`, "y".repeat(1000)]);
    const [where, code] = await outcome([head(...large), FIN]);
    expect([where, code]).toEqual(["fetch", "ZIG_H3_ERR_TOO_LARGE"]);
  });

  test("L07 a large body from a server that is killed: the reader learns of it", async () => {
    const other = await OddServer.start();
    const hasty = suite.client(undefined, { tls: { ca: Bun.file(other.certPath) }, idleTimeout: 3 });
    const response = await hasty.fetch(other.url(OK, { zeros: 1000 }, { wait: 60_000 }));
    await other.stop();
    expect(await failure(response.bytes())).toMatchObject({ name: "TypeError", code: "ZIG_H3_ERR_IDLE" });
  });
});
