/** Many sessions and streams, one after the other and at once: everything is given back, and memory does not follow the count. */
import { describe, expect, test } from "bun:test";
import { Child, mib } from "./child.ts";
import { GoConnection } from "./wtgo.ts";
import { PATIENCE, Suite, settled } from "./suite.ts";
import * as sessions from "../interop/sessions.ts";

const suite = new Suite();

/** Milliseconds for what takes thousands of visits. */
const LIMIT = 200_000;

/** The server for outside tools in a process of its own, whose memory can be told from this one's. */
async function interop(): Promise<{ child: Child; port: number }> {
  const child = new Child("../interop/server.ts", [], { PORT: "0" });
  const [, url] = (await child.line()).split(" ");
  return { child, port: Number(new URL(url!).port) };
}

/** Waits until a server keeps no streams, and so many sessions; gives how many there have been. */
async function keeps(connection: GoConnection, sessions: number): Promise<number> {
  const deadline = performance.now() + PATIENCE;
  for (;;) {
    const { session_streams_active, sessions_active, sessions_total } = JSON.parse((await connection.get("/stats")).body) as Record<string, number>;
    if (session_streams_active === 0 && sessions_active === sessions) return sessions_total!;
    if (performance.now() > deadline) throw new Error(`${sessions_active} sessions with ${session_streams_active} streams are kept`);
    await Bun.sleep(5);
  }
}

describe("leaks", () => {
  test("fails-components#503: 16,000 bidirectional streams of one session, all given back, in bounded memory", async () => {
    const { child, port } = await interop();
    const connection = await suite.goConnect({ port });
    const session = await connection.session("/wt/echo");
    const some = { inside: 16, size: 1000, timeout: LIMIT };
    expect(await session.echoes({ count: 4000, ...some })).toEqual({ well: 4000, failures: [] });
    const before = child.resident();
    expect(await session.echoes({ count: 16_000, ...some })).toEqual({ well: 16_000, failures: [] });
    const growth = child.resident() - before;
    await keeps(connection, 1);
    expect(growth, mib(growth)).toBeLessThan(48 << 20); // 11.6 KB a stream would be 177 MiB
    await child.kill();
  }, LIMIT);

  test("webtransport-go#118: 3,000 sessions on connections of their own, all given back, in bounded memory", async () => {
    const { child, port } = await interop();
    const visit = { inside: 8, size: 16, timeout: LIMIT };
    expect(await suite.go.churn(port, "/wt/echo", { count: 1000, ...visit })).toEqual({ well: 1000, failures: [] });
    const before = child.resident();
    expect(await suite.go.churn(port, "/wt/echo", { count: 2000, ...visit })).toEqual({ well: 2000, failures: [] });
    const growth = child.resident() - before;
    const connection = await suite.goConnect({ port });
    expect(await keeps(connection, 0)).toBe(3000);
    expect(growth, mib(growth)).toBeLessThan(64 << 20);
    await child.kill();
  }, LIMIT);

  test("W14 a hundred sessions at once on one connection, opened and closed ten times over", async () => {
    const server = suite.serve({ routes: { "/wt": { webtransport: sessions.echo } } });
    const connection = await suite.goConnect(server);
    expect(await connection.churn("/wt", { count: 1000, inside: 100, size: 10, timeout: LIMIT })).toEqual({ well: 1000, failures: [] });
    await settled(server, PATIENCE, ["sessions_active", "session_streams_active"]);
    expect(server.stats()).toMatchObject({ sessions_total: 1000, sessions_rejected: 0 });
    await connection.close();
    await settled(server);
  }, LIMIT);

  test("W14 a hundred sessions at once on one connection are apart", async () => {
    const server = suite.serve({ routes: { "/wt": { webtransport: sessions.echo } } });
    const connection = await suite.goConnect(server);
    const hundred = await Promise.all(Array.from({ length: 100 }, () => connection.session("/wt")));
    const echoes = await Promise.all(
      hundred.map(async (session, i) => {
        await session.send(`datagram ${i}`);
        const [both, one] = [await session.open({ data: `both ${i}`, end: true }), await session.open({ uni: true, data: `one ${i}`, end: true })];
        const back = await session.accept({ uni: true });
        return [(await session.receive())[0], await both.text(), await back.text(), await one.written()];
      }),
    );
    expect(echoes).toEqual(hundred.map((_, i) => [`datagram ${i}`, `both ${i}`, `one ${i}`, null]));
    await Promise.all(hundred.map((session) => session.close()));
    await settled(server, PATIENCE, ["sessions_active", "session_streams_active"]);
    expect(server.stats()).toMatchObject({ sessions_total: 100, session_streams_total: 300 });
  });

  test("A06 a server here and one in a Worker: sessions of each stay with it", async () => {
    const here = suite.serve({ routes: { "/wt": { webtransport: prefixed("here") } } });
    const worker = new Worker(new URL("./programs/session-worker.ts", import.meta.url));
    const port = await new Promise<number>((resolve) => (worker.onmessage = ({ data }) => resolve(data as number)));
    const [a, b] = [await (await suite.goConnect(here)).session("/wt"), await (await suite.goConnect({ port })).session("/wt")];
    for (let i = 0; i < 200; i++) {
      await Promise.all([a.send(String(i)), b.send(String(i))]);
      expect([await a.receive(), await b.receive()]).toEqual([[`here ${i}`], [`worker ${i}`]]);
    }
    await a.close();
    await b.close();
    worker.postMessage("stop");
    await new Promise((resolve) => worker.addEventListener("close", resolve));
  });
});

function prefixed(prefix: string): (session: Parameters<typeof sessions.echo>[0]) => void {
  return (session) => {
    session.onDatagram = (payload) => void session.sendDatagram(Buffer.from(`${prefix} ${Buffer.from(payload).toString()}`));
    void session.accept();
  };
}
