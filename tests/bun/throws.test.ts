/** Code of a user's throws wherever it can: that costs its own request, session or stream, is told once, and the server serves on. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { BUNS, Child } from "./child.ts";
import type { Connection, Report } from "./client.ts";
import { varint } from "./draft02.ts";
import { failure, Suite } from "./suite.ts";
import { ACCEPTS, FAILED, HOOKS, PLACES, PLAIN, POLLUTIONS, REJECTS, UNWATCHED, type Seen } from "./throwing.ts";
import type { GoConnection, GoSession } from "./wtgo.ts";


const suite = new Suite();

/** What the program says of itself. */
interface State {
  told: string[];
  uncaught: string[];
  running: boolean;
  pending: number;
}

const QUIET: State = { told: [], uncaught: [], running: true, pending: 0 };

function seen({ status, body, ended, reset }: Report): Seen | null {
  if (reset !== null) return reset;
  return status === null || !ended ? null : [status, Buffer.from(body ?? "", "base64").toString()];
}

for (const [bun, path] of Object.entries(BUNS)) {
  describe(bun, () => {
    let child: Child;
    let ports: Record<string, number>;
    beforeAll(async () => {
      child = new Child("programs/throws.ts", [], {}, [], path);
      ports = JSON.parse(await child.line()) as Record<string, number>;
    });
    afterAll(async () => {
      child.say("end");
      const { code, stderr } = await child.exit();
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    });

    const connect = (server: string, options?: Parameters<Suite["connect"]>[1]): Promise<Connection> => suite.connect({ port: ports[server]! }, options);

    /** What the program says of itself, once it has come to that. */
    async function state(wanted: State): Promise<State> {
      child.say(JSON.stringify({ told: wanted.told.length, uncaught: wanted.uncaught.length, pending: wanted.pending }));
      return JSON.parse(await child.line()) as State;
    }

    async function comesTo(wanted: State): Promise<void> {
      expect(await state(wanted)).toEqual(wanted);
    }

    /** The same server answers the next request of the same connection. */
    async function well(connection: Connection): Promise<void> {
      expect(seen((await connection.fetch("/")).report)).toEqual([200, "well"]);
    }

    for (const [name, { seen: expected = PLAIN, told = FAILED, method = "GET", uploads = false, aborts = false, uncaught = [], unseen = false }] of Object.entries(PLACES)) {
      test(`U01 ${name}`, async () => {
        const connection = await connect("requests");
        const request = await connection.request(name, uploads ? { method: "POST", body: "begun", end: false } : { method });
        if (aborts) {
          await request.response(1);
          await request.abort();
        } else {
          expect(seen(await request.response())).toEqual(expected);
        }
        await well(connection);
        const own = unseen && bun.startsWith("Bun 1.3") ? ["rejection: on purpose"] : [];
        await comesTo({ ...QUIET, told: [...told], uncaught: [...uncaught, ...own] });
      });
    }

    for (const name of Object.keys(HOOKS)) {
      test(`U01 error() ${name}`, async () => {
        const connection = await connect("hooks");
        expect(seen((await connection.fetch(name)).report)).toEqual(PLAIN);
        await well(connection);
        await comesTo({ ...QUIET, told: [...FAILED, "handler: error() failed: on purpose"] });
      });
    }

    for (const name of Object.keys(UNWATCHED)) {
      test(`U01 onLog ${name}`, async () => {
        const connection = await connect("logs");
        expect(seen((await connection.fetch(`/${name}`)).report)).toEqual(PLAIN);
        await well(connection);
        await comesTo(QUIET);
      });

      test(`U01 h3Datagram ${name}`, async () => {
        const connection = await connect("datagrams", { datagrams: true, settings: { 1: 4096, 7: 16, 0x33: 1 } });
        const request = await connection.request("/datagrams", { method: "POST", end: false });
        await connection.sendDatagrams([Buffer.concat([varint(request.stream / 4), Buffer.from(name)])]);
        await well(connection);
        await comesTo({ ...QUIET, told: ["protocol: h3Datagram failed: on purpose"], pending: 1 });
        await request.abort();
        await well(connection);
        await comesTo(QUIET);
      });

      test(`U01 quicDatagram ${name}`, async () => {
        const connection = await connect("raw", { datagrams: true, settings: { 6: 65536 } });
        await connection.sendDatagrams([name]);
        await well(connection);
        await comesTo({ ...QUIET, told: ["protocol: quicDatagram failed: on purpose"] });
      });
    }

    describe("sessions", () => {
      let connection: GoConnection;
      beforeEach(async () => {
        connection = await suite.goConnect({ port: ports.sessions! });
      });

      /** The same server answers on the same connection, and takes the next session. */
      async function goesOn(): Promise<void> {
        expect(await connection.get("/")).toEqual({ status: 200, body: "well" });
        const session = await connection.session("/open");
        await alive(session);
        await session.close();
      }

      async function alive(session: GoSession): Promise<void> {
        await session.send("well");
        expect(await session.receive()).toEqual(["well"]);
        expect(await (await session.open({ data: "well", end: true })).text()).toBe("well");
      }

      for (const [name, of, told] of [
        ...Object.keys(UNWATCHED).map((name) => [name, "a session's handler", `/${name}`] as const),
        ...Object.keys(UNWATCHED).map((name) => [name, "origins", `/origins/${name}`] as const),
        ...[...Object.keys(ACCEPTS), ...Object.keys(REJECTS)].map((name) => [name, "a session's handler", `/${name}`] as const),
      ].map(([name, who, path]) => [`${who}, ${name}`, path, `protocol: ${who} failed: on purpose`] as const)) {
        test(`U01 ${name}`, async () => {
          expect(await connection.dial(of)).toMatchObject({ session: 0, status: 500 });
          await goesOn();
          await comesTo({ ...QUIET, told: [told] });
        });
      }

      test("U01 the body of the Response that rejects", async () => {
        expect(await connection.dial("/reject/body")).toMatchObject({ session: 0, status: 500 });
        await goesOn();
        await comesTo({ ...QUIET, told: ["protocol: the answer to a session cannot be sent: on purpose"] });
      });

      for (const name of Object.keys(UNWATCHED)) {
        test(`U01 onDatagram ${name}`, async () => {
          const session = await connection.session("/open");
          await session.send(name);
          await alive(session);
          await session.close();
          await goesOn();
          await comesTo({ ...QUIET, told: ["protocol: onDatagram failed: on purpose"] });
        });
      }

      for (const [how, what] of [["abort", "a reason"], ["write", "bytes"]] as const) {
        test(`U01 a stream's ${how}() with ${what} that cannot be looked at: the peer gets code 0`, async () => {
          const session = await connection.session("/open");
          const stream = await session.open({ data: how, end: false });
          expect(((await failure(stream.read())) as Error).message).toBe("webtransport-go: stream code 0 remote true");
          await alive(session);
          await session.close();
          await goesOn();
          await comesTo(QUIET);
        });
      }
    });

    for (const name of Object.keys(POLLUTIONS)) {
      const kept = name.startsWith("kept ");
      // Streams of Bun 1.3 itself lose a read while built-in functions throw, those of its stdin among them.
      if (!kept && bun.startsWith("Bun 1.3")) continue;
      test(`${kept ? "U03" : "U01"} ${name}`, async () => {
        const connection = await connect("polluted");
        const path = `/pollute/${encodeURIComponent(name)}`;
        const reports = await Promise.all([path, "/", "/stream", "/"].map(async (path) => (await connection.request(path)).response()));
        // Enumerable properties have no effect. While built-in functions throw, any answer will do, but that there is one.
        if (kept) expect(reports.map(seen)).toEqual(Array(4).fill([200, "well"]));
        else expect(reports.map(seen)).not.toContain(null);
        const later = await suite.connect({ port: ports.polluted! });
        let answer: Seen | null;
        do answer = seen((await later.fetch("/restored")).report);
        while (Array.isArray(answer) ? answer[1] !== "restored" : answer !== null);
        expect(answer).toEqual([200, "restored"]);
        await well(connection);
        if (kept) await comesTo(QUIET);
        else expect((await state({ ...QUIET, pending: NaN })).running).toBe(true);
      });
    }
  });
}
