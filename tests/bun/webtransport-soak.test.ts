/** Sessions by the thousand, one after the other and all at once: what a server holds of them goes when they go, memory with it. */
import { describe, expect, test } from "bun:test";
import { Child, mib } from "./child.ts";
import { Suite } from "./suite.ts";
import type { GoConnection } from "./wtgo.ts";

const suite = new Suite();

/** H3_STRESS=1 makes it as many as a long day brings. */
const stress = process.env.H3_STRESS === "1";
const CHURNED = stress ? 10_000 : 500;
const IDLE = stress ? 5_000 : 250;
/** What the engine takes on one connection is less than twice that. */
const SESSIONS_OF_A_CONNECTION = 50;
const LIMIT = stress ? 600_000 : 200_000;
/** Seconds after which a connection that vanished is given up. */
const IDLE_TIMEOUT = stress ? 10 : 4;

interface State {
  sessions_total: number;
  held: Record<string, number>;
  descriptors: number;
}

/** programs/soaked.ts, with a port that it serves at. */
async function soaked(idleTimeout: number): Promise<{ child: Child; port: number; state: (when: "held" | "rest") => Promise<State> }> {
  const child = new Child("programs/soaked.ts", [], { IDLE_TIMEOUT: String(idleTimeout) });
  const port = await child.number();
  const state = async (when: "held" | "rest"): Promise<State> => {
    child.say(when);
    return JSON.parse(await child.line()) as State;
  };
  return { child, port, state };
}

async function end(child: Child): Promise<void> {
  child.say("end");
  const { code, stderr } = await child.exit();
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
}

const nothing = {
  requests_active: 0,
  handshakes_pending: 0,
  sessions_active: 0,
  session_streams_active: 0,
  exchanges: 0,
  connections: 0,
  sessions: 0,
  streams: 0,
};

describe("soak", () => {
  test(
    `W14 ${CHURNED} sessions come and go, on connections of their own and many to one: nothing of them stays`,
    async () => {
      const { child, port, state } = await soaked(IDLE_TIMEOUT);
      const visit = { size: 16, timeout: LIMIT };
      const some = Math.floor(CHURNED / 5);
      const round = async (count: number): Promise<void> => {
        expect(await suite.go.churn(port, "/wt", { count, inside: 8, ...visit })).toEqual({ well: count, failures: [] });
        const connection = await suite.goConnect({ port });
        expect(await connection.churn("/wt", { count, inside: SESSIONS_OF_A_CONNECTION, ...visit })).toEqual({ well: count, failures: [] });
        await connection.close();
      };
      await round(some / 2);
      const before = await state("rest");
      expect(before).toMatchObject({ sessions_total: some, held: nothing });
      const resident = child.resident();
      await round((CHURNED - some) / 2);
      const after = await state("rest");
      expect(after).toMatchObject({ sessions_total: CHURNED, held: nothing, descriptors: before.descriptors });
      const growth = child.resident() - resident;
      console.log(`${CHURNED - some} sessions more: the server grew by ${mib(growth)} to ${mib(child.resident())}`);
      expect(growth, mib(growth)).toBeLessThan(48 << 20);
      await end(child);
    },
    LIMIT,
  );

  test(
    `W13 ${IDLE} sessions idle at once, then half of their connections end and half vanish, three times: all is given back`,
    async () => {
      const { child, port, state } = await soaked(IDLE_TIMEOUT);
      const rest = await state("rest");
      expect(rest.held).toEqual(nothing);
      const heights: number[] = [];
      const floor = child.resident();
      for (let round = 1; round <= 3; round++) {
        const connections: GoConnection[] = [];
        for (let opened = 0; opened < IDLE; opened += SESSIONS_OF_A_CONNECTION) {
          const connection = await suite.goConnect({ port }, { keepAlive: 500 });
          connections.push(connection);
          const held = await connection.hold("/wt", { count: SESSIONS_OF_A_CONNECTION, inside: 10, timeout: LIMIT });
          expect(held).toEqual({ well: SESSIONS_OF_A_CONNECTION, failures: [] });
        }
        const full = await state("held");
        expect(full.held).toEqual({ ...nothing, sessions_active: IDLE, sessions: IDLE, connections: IDLE / SESSIONS_OF_A_CONNECTION });
        heights.push(child.resident());
        await Promise.all(connections.map((connection, i) => (i % 2 === 0 ? connection.close() : connection.vanish())));
        expect(await state("rest")).toMatchObject({ held: nothing, descriptors: rest.descriptors, sessions_total: IDLE * round });
      }
      console.log(
        `${IDLE} idle sessions take ${((heights[0]! - floor) / IDLE / 1024).toFixed(1)} KiB each; at their height ${heights.map(mib).join(", ")}`,
      );
      // Only the first round may need memory that was not there: what the sessions of a round leave behind serves the next.
      const growth = heights[2]! - heights[0]!;
      expect(growth, mib(growth)).toBeLessThan(48 << 20);
      await end(child);
    },
    LIMIT,
  );
});
