/** Memory stays bounded against a slow reader, on either side. The servers are processes of their own; figures are printed. */
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { Child, mib } from "./child.ts";
import { Driver } from "./client.ts";
import { PATIENCE, until } from "./suite.ts";

// The machine may be busy with other suites: nothing fails for being slow.
setDefaultTimeout(60_000);

const driver = new Driver();
afterAll(async () => {
  expect(await driver.stop()).toBe("");
});

const UPLOAD = 200 << 20;
const DOWNLOAD = 50 << 20;

describe("memory", () => {
  test("S05 a handler that reads a 200 MB upload slowly keeps it waiting in the network", async () => {
    const child = new Child("programs/slow-reader.ts");
    const connection = await driver.connect(await child.number());
    // Something has been uploaded at full speed before, so that what follows is growth and no first use.
    const warm = await connection.fetch("/fast", { method: "POST", body: [{ random: 4 << 20 }] });
    expect(warm.json<object>()).toEqual({ bytes: 4 << 20, sha256: warm.report.sent.sha256 });

    const before = child.resident();
    const exchange = await connection.request("/slow", { method: "POST", body: [{ random: UPLOAD, seed: 5 }] });
    const accepted: number[] = [];
    let most = 0;
    // The handler takes a chunk every 50 ms, and says so; 60 chunks is 3 s.
    for (let chunk = 1; chunk <= 60; chunk++) {
      expect(await child.line()).toBe(`chunk ${chunk}`);
      most = Math.max(most, child.resident());
      if (chunk % 20 === 0) accepted.push((await exchange.progress()).acknowledged);
    }
    const slowGrowth = most - before;
    console.log(`S05: ${mib(accepted.at(-1)!)} taken in 3 s of slow reading, the server grew by ${mib(slowGrowth)}`);
    expect(slowGrowth).toBeLessThan(16 << 20);
    expect(accepted.at(-1)!).toBeLessThan(32 << 20);

    // From here on it reads as fast as it can, and gets all of it.
    child.say("fast");
    const report = await exchange.response("end", 110);
    expect(report.status).toBe(200);
    expect(report.sent.bytes).toBe(UPLOAD);
    expect(JSON.parse(Buffer.from(report.body!, "base64").toString())).toEqual({ bytes: UPLOAD, sha256: report.sent.sha256 });
    console.log(`S05: after all 200 MiB the server stands at ${mib(child.resident() - before)} above its start`);
    await connection.close();
    child.say("end");
    expect((await child.exit()).code).toBe(0);
  }, 200_000);

  test("P07 a slow client pauses the producer of a 50 MB response, and gets all of it", async () => {
    const child = new Child("programs/fast-writer.ts", [String(DOWNLOAD)]);
    const connection = await driver.connect(await child.number(), { maxStreamData: 128 << 10 });
    const warm = await connection.fetch("/small");
    expect(warm.report.bytes).toBe(1 << 20);

    const before = child.resident();
    const exchange = await connection.request("/", { allowance: 64 << 10 });
    await exchange.response(64 << 10);
    const produced: number[] = [];
    let most = 0;
    for (let second = 0; second < 3; second++) {
      for (let i = 0; i < 5; i++) {
        await exchange.allow(16 << 10);
        await Bun.sleep(200);
        most = Math.max(most, child.resident());
      }
      child.say("produced");
      produced.push(await child.number());
    }
    const received = (await exchange.progress()).received;
    const growth = most - before;
    console.log(`P07: ${mib(received)} read in 3 s, ${mib(produced.at(-1)!)} produced, the server grew by ${mib(growth)}`);
    expect(growth).toBeLessThan(16 << 20);
    // What was produced is what the client took, one high-water mark, and a chunk on either side of each queue.
    expect(produced.at(-1)! - received).toBeLessThan(4 << 20);

    await exchange.allow();
    const report = await exchange.response("end", 110);
    child.say("hash");
    expect({ ended: report.ended, bytes: report.bytes, sha256: report.sha256 }).toEqual({
      ended: true,
      bytes: DOWNLOAD,
      sha256: await child.line(),
    });
    await connection.close();
    child.say("end");
    expect((await child.exit()).code).toBe(0);
  }, 200_000);

  test("P07 twenty slow readers of the same 16 MB have them in common", async () => {
    const child = new Child("programs/shared-body.ts", [String(16 << 20)]);
    const connection = await driver.connect(await child.number(), { maxStreamData: 64 << 10 });
    const sha256 = await child.line();
    expect((await connection.fetch("/warm")).report.bytes).toBe(1 << 20);

    const before = child.resident();
    const paths = Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? "/static" : "/blob"));
    const exchanges = await Promise.all(paths.map((path) => connection.request(path, { allowance: 32 << 10 })));
    for (const exchange of exchanges) await exchange.response(32 << 10);
    const growth = child.resident() - before;
    console.log(`P07: ${exchanges.length} readers that wait, the server grew by ${mib(growth)}`);
    // A high-water mark for each, and what is on its way there; a copy for each would be 320 MiB.
    expect(growth).toBeLessThan(100 << 20);

    for (const exchange of exchanges.slice(0, 2)) {
      await exchange.allow();
      const report = await exchange.response("end", 110);
      expect([report.status, report.ended, report.sha256]).toEqual([200, true, sha256]);
    }
    await connection.close();
    child.say("end");
    expect((await child.exit()).code).toBe(0);
  }, 200_000);

  test("P07 what slow readers were kept waiting for goes back to the system when they leave", async () => {
    const child = new Child("programs/shared-body.ts", [String(16 << 20)]);
    const connection = await driver.connect(await child.number(), { maxStreamData: 64 << 10 });
    await child.line();
    expect((await connection.fetch("/warm")).report.bytes).toBe(1 << 20);

    const before = child.resident();
    const exchanges = await Promise.all(Array.from({ length: 100 }, () => connection.request("/stream", { allowance: 32 << 10 })));
    for (const exchange of exchanges) await exchange.response(32 << 10);
    // Each has a high-water mark's worth: were it less, there would be nothing to give back.
    await until(() => child.resident() - before > 100 << 20);
    await connection.close();
    await until(
      () => child.resident() - before < 64 << 20,
      PATIENCE,
      () => `the server stands at ${mib(child.resident() - before)} above its start`,
    );
    console.log(`P07: after 100 readers the server stands at ${mib(child.resident() - before)} above its start`);
    child.say("end");
    expect((await child.exit()).code).toBe(0);
  }, 200_000);
});
