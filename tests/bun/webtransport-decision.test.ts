/** Answers to a session that cannot be: nothing has happened then, and a right one still can be given. */
import { describe, expect, test } from "bun:test";
import type { LogRecord, WebTransportServerSession } from "../../bindings/bun/src/index.ts";
import { Suite, until } from "./suite.ts";

const suite = new Suite();

/** What a call threw. */
function thrown(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    return `${(error as Error).name}: ${(error as Error).message}`;
  }
  return "nothing";
}

/** The answers that a handler tries before the right one, and what they throw. */
const WRONG: [decide: (session: WebTransportServerSession) => unknown, error: string][] = [
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
              for (const [decide] of WRONG) messages.push(thrown(() => decide(session)));
              if (right === "accept") await session.accept();
              else await session.reject(418);
              messages.push(thrown(() => session.reject(403)));
            },
          },
        },
      });
      const connection = await suite.goConnect(server);
      const { status } = await connection.dial("/wt");
      expect(status).toBe(right === "accept" ? 200 : 418);
      await until(() => messages.length > WRONG.length);
      expect(messages).toEqual([...WRONG.map(([, error]) => error), "InvalidStateError: The session was decided before"]);
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
