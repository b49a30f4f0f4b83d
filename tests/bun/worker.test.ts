/** The pump: in a Worker, at rest, and under a collector that never rests. */
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { Child } from "./child.ts";
import { Driver, http3, type Field } from "./client.ts";

// The machine may be busy with other suites: nothing fails for being slow.
setDefaultTimeout(60_000);

const driver = new Driver();
afterAll(async () => {
  expect(await driver.stop()).toBe("");
});

describe("pump", () => {
  test("a Worker serves with pump: { intervalMs: 1 } while the main thread is blocked", async () => {
    const child = new Child("programs/blocked-main.ts");
    const port = await child.number();
    expect(await child.line()).toBe("main blocks");
    const connection = await driver.connect(port);
    const answers = [];
    for (let i = 0; i < 20; i++) answers.push((await connection.fetch(`/${i}`)).text);
    expect(answers).toEqual(Array.from({ length: 20 }, (_, i) => `worker: /${i}`));
    const upload = await connection.fetch("/echo", { method: "POST", body: [{ random: 1 << 20 }] });
    expect(upload.report.sha256).toBe(upload.report.sent.sha256);
    await connection.fetch("/unblock");
    await connection.close();
    const { code, lines, stderr } = await child.exit();
    // The main thread slept through all of it.
    expect({ code, lines, stderr }).toEqual({ code: 0, lines: ["main woke: ticks 0"], stderr: "" });
  });

  test("a Worker serves with the wake fd while the main thread is blocked", async () => {
    const child = new Child("programs/blocked-main.ts", ["fd"]);
    const port = await child.number();
    expect(await child.line()).toBe("main blocks");
    const connection = await driver.connect(port);
    expect((await connection.fetch("/a")).text).toBe("worker: /a");
    await connection.fetch("/unblock");
    await connection.close();
    expect((await child.exit()).code).toBe(0);
  });

  for (const how of ["terminate", "exit", "throw"]) {
    test(`a Worker that ends by ${how} leaves nothing bound, and no client waiting`, async () => {
      const child = new Child("programs/ended-worker.ts", [how]);
      const connection = await driver.connect(await child.number());
      await connection.request("/never answered");
      child.say("end");
      expect(await connection.closed()).toMatchObject({ by: "peer" });
      const { code, lines } = await child.exit();
      expect({ code, lines }).toEqual({ code: 0, lines: ["the port is free"] });
    });
  }

  test("an idle server on the main thread uses no CPU", async () => {
    const child = new Child("programs/idle.ts");
    const port = await child.number();
    const connection = await driver.connect(port);
    expect((await connection.fetch("/")).text).toBe("hello");
    await connection.close();
    await Bun.sleep(1000);
    // How often its threads fell asleep again says who looks now and then, whatever else the machine does; who never sleeps shows in ticks.
    const [ticks, sleeps] = [child.ticks(), child.sleeps()];
    await Bun.sleep(2000);
    const used = [child.ticks() - ticks, child.sleeps() - sleeps] as const;
    await child.kill();
    console.log(`idle: ${used[0]} ticks of CPU in 2 s, awake ${used[1]} times`); // some tens are Bun's own
    expect(used[0]).toBeLessThan(20);
    expect(used[1]).toBeLessThan(200);
  });

  test("A06 two servers, one polled here and one in a Worker, never see each other's requests", async () => {
    const child = new Child("programs/two-pollers.ts");
    const ports = [await child.number(), await child.number()];
    const connections = await Promise.all(ports.map((port) => driver.connect(port)));
    const uploads = await Promise.all(
      connections.flatMap((connection, who) =>
        Array.from({ length: 20 }, (_, i) =>
          connection.fetch(`/${who}/${i}`, { method: "POST", body: [{ random: 100_000, seed: who * 100 + i }] }),
        ),
      ),
    );
    uploads.forEach((answer, n) => {
      const [who, i] = [Math.floor(n / 20), n % 20];
      expect(answer.json<object>()).toEqual({
        poller: ["main", "worker"][who]!,
        path: `/${who}/${i}`,
        sha256: answer.report.sent.sha256,
      });
    });
    await Promise.all(connections.map((c) => c.close()));
    child.say("end");
    const { code, lines, stderr } = await child.exit();
    expect({ code, lines, stderr }).toEqual({ code: 0, lines: ["main 20", "worker 20"], stderr: "" });
  });

  test("A07 what came with an event is unchanged after 10,000 further events", async () => {
    const child = new Child("programs/keeper.ts");
    const port = await child.number();
    const connection = await driver.connect(port);
    const kept = await connection.fetch("/keep", {
      method: "POST",
      headers: [["x-kept", "a header"]],
      body: [{ random: 200_000 }],
    });
    const fields: Field[] = [
      [":method", "GET"],
      [":scheme", "https"],
      [":authority", "localhost"],
      [":path", "/other"],
    ];
    expect(await connection.command<object>("many", { headers: fields, count: 10_000, inflight: 64 })).toMatchObject({
      statuses: { 200: 10_000 },
    });
    const again = await connection.fetch("/kept");
    expect(again.json<object>()).toEqual({
      url: kept.json<{ url: string }>().url,
      header: "a header",
      sha256: kept.report.sent.sha256,
      others: 10_000,
    });
    await connection.close();
    child.say("end");
    expect((await child.exit()).code).toBe(0);
  });

  test("A08 a consumer that stalls loses no request, body or close", async () => {
    const child = new Child("programs/staller.ts");
    const port = await child.number();
    const connections = await Promise.all(Array.from({ length: 4 }, () => driver.connect(port)));
    expect((await connections[0]!.fetch("/")).text).toBe("0");
    child.say("stall");
    expect(await child.line()).toBe("stalled");
    const before = child.resident();
    // More than the queue of 1 MiB holds: bodies wait in the network, requests and closes queue up.
    const uploads = await Promise.all(
      connections.flatMap((c) =>
        Array.from({ length: 20 }, (_, i) => c.request("/", { method: "POST", body: [{ random: 50_000, seed: i }] })),
      ),
    );
    const aborted = await Promise.all(connections.map((c) => c.request("/", { method: "POST", body: "begun", end: false })));
    await Promise.all(aborted.map((e) => e.abort()));
    expect(await child.line()).toBe("awake");
    const reports = await Promise.all(uploads.map((e) => e.response()));
    for (const report of reports) {
      expect([report.status, Buffer.from(report.body!, "base64").toString()]).toEqual([200, report.sent.sha256]);
    }
    const grown = child.peak() - before;
    console.log(`A08: the server grew by ${(grown / (1 << 20)).toFixed(1)} MiB while nobody polled`);
    expect(grown).toBeLessThan(64 << 20);
    await Promise.all(connections.map((c) => c.close()));
    child.say("end");
    const { code, lines, stderr } = await child.exit();
    expect({ code, lines, stderr }).toEqual({ code: 0, lines: ["active 0 0"], stderr: "" });
  });

  test("A09 every call may be made from inside a handler", async () => {
    const child = new Child("programs/reentrant.ts");
    const port = await child.number();
    const connection = await driver.connect(port);
    const stats = await connection.fetch("/stats");
    expect(stats.json<{ requests_active: number }>().requests_active).toBe(1);
    expect((await connection.fetch("/start")).text).toBe("started already");
    expect(await (await http3(port, "/another")).text()).toBe("served another");
    await connection.request("/stop");
    expect((await connection.closed()).by).toBe("peer");
    expect(await child.line()).toBe("stopped");
    const second = await driver.connect(await child.number());
    await second.request("/close");
    expect((await second.closed()).by).toBe("peer");
    const { code, lines, stderr } = await child.exit();
    expect({ code, lines, stderr }).toEqual({ code: 0, lines: ["closed"], stderr: "" });
  });

  test("a full collection at every tick disturbs nothing", async () => {
    const child = new Child("programs/collector.ts");
    const port = await child.number();
    const connection = await driver.connect(port);
    for (let i = 0; i < 30; i++) {
      const answer = await connection.fetch("/echo", { method: "POST", body: [{ random: 20_000 + i, seed: i }] });
      expect([answer.status, answer.report.sha256]).toEqual([200, answer.report.sent.sha256]);
    }
    const many = await Promise.all(Array.from({ length: 30 }, (_, i) => connection.fetch(`/hello?${i}`)));
    expect(many.map((a) => a.text)).toEqual(Array.from({ length: 30 }, (_, i) => `hello ?${i}`));
    await connection.close();
    child.say("end");
    const { code, lines, stderr } = await child.exit();
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(Number(lines[0])).toBeGreaterThan(60);
  }, 120_000);
});
