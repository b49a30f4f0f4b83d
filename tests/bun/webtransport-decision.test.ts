/** Answers to a session that cannot be: nothing has happened then, and a right one still can be given. */
import { describe, expect, test } from "bun:test";
import type { LogRecord, WebTransportServerSession } from "../../bindings/bun/src/index.ts";
import { ERROR } from "../../bindings/bun/src/native/layout.ts";
import { library } from "../../bindings/bun/src/native/library.ts";
import { resume } from "../../bindings/bun/src/native/refused.ts";
import { failure, Suite, until } from "./suite.ts";

const suite = new Suite();

/** What an answer rejects with. */
async function rejected(answer: Promise<void>): Promise<string> {
  const error = (await failure(answer)) as Error;
  return `${error.name}: ${error.message}`;
}

/** The request for a session at /wt, field by field. */
function connects(port: number): [string, string][] {
  return [[":method", "CONNECT"], [":scheme", "https"], [":authority", `127.0.0.1:${port}`], [":path", "/wt"], [":protocol", "webtransport"], ["sec-webtransport-http3-draft02", "1"]];
}

/** The answers that a handler tries before the right one, and what they reject with. */
const WRONG: [decide: (session: WebTransportServerSession) => Promise<void>, error: string][] = [
  [(session) => session.reject(99), "RangeError: a session is rejected with a status from 300 to 599, not 99"],
  [(session) => session.reject(200), "RangeError: a session is rejected with a status from 300 to 599, not 200"],
  [(session) => session.reject(new Response()), "RangeError: a session is rejected with a status from 300 to 599, not 200"],
  [(session) => session.reject("403" as unknown as number), 'TypeError: reject() takes a status or a Response, not "403"'],
  [(session) => session.reject(undefined as unknown as number), "TypeError: reject() takes a status or a Response, not undefined"],
  [(session) => session.accept(403 as unknown as object), "TypeError: accept() takes an object of options, not 403"],
  [(session) => session.accept({ protocol: "other" }), 'TypeError: the client does not offer the protocol "other", but none'],
  [(session) => session.accept({ headers: { "not a name": "x" } }), "TypeError: Invalid header name: 'not a name'"],
];

describe("decisions", () => {
  for (const right of ["accept", "reject"] as const) {
    test(`W02 answers that cannot be are refused by name, and the session can still ${right}`, async () => {
      const messages: string[] = [];
      const server = suite.serve({
        routes: {
          "/wt": {
            async webtransport(session) {
              for (const [decide] of WRONG) messages.push(await rejected(decide(session)));
              if (right === "accept") await session.accept();
              else await session.reject(418);
              messages.push(await rejected(session.reject(403)), await rejected(session.accept()));
            },
          },
        },
      });
      const connection = await suite.goConnect(server);
      const { status } = await connection.dial("/wt");
      expect(status).toBe(right === "accept" ? 200 : 418);
      await until(() => messages.length > WRONG.length + 1);
      const late = "InvalidStateError: The session was decided before";
      expect(messages).toEqual([...WRONG.map(([, error]) => error), late, late]);
    });
  }

  test("an answer that cannot be and that nobody waits for is told with the 503, and rejects nowhere", async () => {
    const told: unknown[] = [];
    const server = suite.serve({
      webtransport: { decisionTimeoutMs: 50 },
      routes: { "/wt": { webtransport: (session) => void session.accept({ protocol: "other" }) } },
      onLog: ({ level, tier, message, error }) => void told.push([level, tier, message, (error as Error)?.name]),
    });
    const connection = await suite.goConnect(server);
    expect((await connection.dial("/wt")).status).toBe(503);
    const why = 'what was tried had failed: the client does not offer the protocol "other", but none';
    await until(() => told.length > 0);
    expect(told).toEqual([["warn", "protocol", `nobody has accepted or rejected a session in time: it was rejected with 503; ${why}`, "TypeError"]]);
  });

  test("a getter of what is handed over may decide: that counts, and what it stood in does not", async () => {
    const messages: string[] = [];
    const server = suite.serve({
      routes: {
        "/wt": {
          async webtransport(session) {
            const options = { get protocol(): undefined { return void session.reject(418); } };
            messages.push(await rejected(session.accept(options as object)));
          },
        },
      },
    });
    const connection = await suite.goConnect(server);
    expect((await connection.dial("/wt")).status).toBe(418);
    await until(() => messages.length > 0);
    expect(messages).toEqual(["InvalidStateError: The session was decided before"]);
  });

  test("an accept() that the library does not take rejects, and another one can follow", async () => {
    const names: string[] = [];
    const calls = library() as unknown as Record<string, (...args: unknown[]) => number>;
    const accept = calls.zig_h3_wt_accept!;
    const server = suite.serve({
      routes: {
        "/wt": {
          async webtransport(session) {
            calls.zig_h3_wt_accept = () => ERROR.BAD_HEADER;
            const refused = session.accept();
            calls.zig_h3_wt_accept = accept;
            names.push(((await failure(refused)) as Error).name);
            await session.accept();
          },
        },
      },
    });
    const connection = await suite.goConnect(server);
    expect((await connection.dial("/wt")).status).toBe(200);
    expect(names).toEqual(["TypeError"]);
  });

  test("an accept() that found no room, and is refused when it is made again: the client gets 500, and that is told", async () => {
    const told: string[] = [];
    const server = suite.serve({
      routes: { "/wt": { webtransport: (session) => void session.accept() } },
      onLog: ({ level, message }) => void told.push(`${level}: ${message.split(":")[0]}`),
    });
    const connection = await suite.goConnect(server);
    const calls = library() as unknown as Record<string, (session: number) => number>;
    const accept = calls.zig_h3_wt_accept!;
    let made = 0;
    calls.zig_h3_wt_accept = (session) => {
      if (made++ > 0) return ERROR.BAD_HEADER;
      setTimeout(() => resume(session), 1);
      return ERROR.WOULD_BLOCK;
    };
    try {
      expect((await connection.dial("/wt")).status).toBe(500);
    } finally {
      calls.zig_h3_wt_accept = accept;
    }
    expect([made, told]).toEqual([2, ["error: the answer to a session cannot be sent"]]);
  });

  test("a getter of a Response that is to refuse may decide, too", async () => {
    const messages: string[] = [];
    const told: string[] = [];
    const server = suite.serve({
      routes: {
        "/wt": {
          async webtransport(session) {
            const response = Object.defineProperty(new Response("no", { status: 404 }), "body", { get: () => void session.reject(418) });
            messages.push(await rejected(session.reject(response)));
          },
        },
      },
      onLog: ({ message }) => void told.push(message),
    });
    const connection = await suite.goConnect(server);
    expect((await connection.dial("/wt")).status).toBe(418);
    await until(() => messages.length > 0);
    expect([messages, told]).toEqual([["InvalidStateError: The session was decided before"], []]);
  });

  test("what a Response that refuses is made of goes out, whatever the handler has put over its readers", async () => {
    const server = suite.serve({
      webtransport: { origins: ["*"] },
      routes: {
        "/wt": {
          webtransport: (session) => {
            const response = new Response("its own", { status: 404 });
            for (const name of ["bytes", "blob", "clone"]) Object.defineProperty(response, name, { value: async () => new Uint8Array(3) });
            return session.reject(response);
          },
        },
      },
    });
    const connection = await suite.connect(server, { datagrams: true, webtransport: true });
    const { status, text } = await connection.fetch("/wt", { fields: connects(server.port!), end: false });
    expect([status, text]).toEqual([404, "its own"]);
  });

  for (const [name, decide, status] of [
    ["accept", (session) => session.accept({ headers: { "x-more": "y" } }), 200],
    ["reject with a status", (session) => session.reject(403), 403],
    ["reject with a Response", (session) => session.reject(new Response("no", { status: 403, headers: { "x-more": "y" } })), 403],
  ] as [string, (session: WebTransportServerSession) => Promise<void>, number][]) {
    test(`cookies that the handler sets go out with the answer: ${name}`, async () => {
      const server = suite.serve({
        webtransport: { origins: ["*"] },
        routes: {
          "/wt": {
            webtransport: (session) => {
              session.request.cookies.set("a", "b");
              return decide(session);
            },
          },
        },
      });
      const connection = await suite.connect(server, { datagrams: true, webtransport: true });
      const report = await (await connection.request("/wt", { fields: connects(server.port!), end: false })).response("headers");
      expect(report.status).toBe(status);
      expect(report.headers.filter(([field]) => field === "set-cookie")).toEqual([["set-cookie", "a=b; Path=/; SameSite=Lax"]]);
      expect(report.headers.some(([field]) => field === "x-more")).toBe(name !== "reject with a status");
    });
  }

  test("U01 what a handler puts over its session changes nothing of what becomes of it when the handler fails", async () => {
    const over = (object: object, names: string[]): void => {
      for (const name of names) Object.defineProperty(object, name, { get: () => { throw new Error(`no ${name}`); } });
    };
    const records: LogRecord[] = [];
    const fails = (session: WebTransportServerSession): never => {
      over(session.request, ["method", "url", "headers"]);
      over(session, ["request", "decided", "reject", "close", "ready", "closed"]);
      throw new Error("boom");
    };
    const server = suite.serve({
      routes: {
        "/thrown": { webtransport: fails },
        "/rejected": { webtransport: async (session) => { await Bun.sleep(1); fails(session); } },
        "/wt": { webtransport: (session) => void session.accept() },
      },
      onLog: (record) => void records.push(record),
    });
    const connection = await suite.goConnect(server);
    const statuses: number[] = [];
    for (const path of ["/thrown", "/rejected", "/wt"]) statuses.push((await connection.dial(path)).status);
    expect(statuses).toEqual([500, 500, 200]);
    expect(records.map(({ tier, method, route, message }) => [tier, method, route, message])).toEqual(
      ["/thrown", "/rejected"].map((path) => ["protocol", "CONNECT", path, "a session's handler failed: boom"]),
    );
  });
});
