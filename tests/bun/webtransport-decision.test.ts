/** Answers to a session that cannot be: nothing has happened then, and a right one still can be given. */
import { describe, expect, test } from "bun:test";
import type { WebTransportServerSession } from "../../bindings/bun/src/index.ts";
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
});
