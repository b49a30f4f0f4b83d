/** Responses that are files, and parts of files. */
import { beforeAll, describe, expect, test } from "bun:test";
import { appendFileSync, mkdirSync, renameSync, truncateSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { withTrailers, type H3Server } from "../../bindings/bun/src/index.ts";
import { Suite } from "./suite.ts";
import { sha256 } from "./client.ts";

const suite = new Suite();
const folder = join(import.meta.dir, "../../build/tests/files");
const [small, large, empty, missing] = ["small.txt", "large.css", "empty.txt", "missing.txt"].map((name) => join(folder, name)) as [string, string, string, string];
const content = new Uint8Array(1 << 20).map((_, i) => (i * 7) >> 3);

beforeAll(() => {
  mkdirSync(folder, { recursive: true });
  writeFileSync(small, "0123456789");
  writeFileSync(large, content);
  writeFileSync(empty, "");
});

describe("files", () => {
  test("P04 a file has its content-type, its content-length and its bytes", async () => {
    const bodies: Record<string, () => Response> = {
      "/small": () => new Response(Bun.file(small)),
      "/large": () => new Response(Bun.file(large)),
      "/empty": () => new Response(Bun.file(empty)),
      "/status": () => new Response(Bun.file(small), { status: 404, headers: { "content-type": "text/html" } }),
      "/encoded": () => new Response(Bun.file(large), { headers: { "content-encoding": "br", "content-length": "7" } }),
    };
    const answers = await suite.same(
      { routes: bodies },
      Object.keys(bodies).map((path) => [path]),
    );
    expect(answers.map((a) => [a.status, a.header("content-type"), a.header("content-length"), a.report.sha256])).toEqual([
      [200, "text/plain;charset=utf-8", "10", sha256("0123456789")],
      [200, "text/css;charset=utf-8", String(1 << 20), sha256(content)],
      [200, "text/plain;charset=utf-8", "0", sha256("")],
      [404, "text/html", "10", sha256("0123456789")],
      [200, "text/css;charset=utf-8", String(1 << 20), sha256(content)],
    ]);
  });

  test("P04 HEAD of a file tells its length", async () => {
    const server = suite.serve({ routes: { "/small": new Response(Bun.file(small)), "/large": Bun.file(large) } });
    const connection = await suite.connect(server);
    for (const [path, length] of [
      ["/small", "10"],
      ["/large", String(1 << 20)],
    ]) {
      const answer = await connection.fetch(path!, { method: "HEAD" });
      expect([answer.status, answer.header("content-length"), answer.report.bytes, answer.report.ended]).toEqual([200, length!, 0, true]);
    }
  });

  test("P04 a slice is 206 with its content-range, and never says more than the file has", async () => {
    const slices: [name: string, slice: Blob, expected: [status: number, range: string | null, bytes: Uint8Array | string]][] = [
      ["begin", Bun.file(small).slice(0, 4), [206, "bytes 0-3/10", "0123"]],
      ["middle", Bun.file(small).slice(2, 6), [206, "bytes 2-5/10", "2345"]],
      ["of-a-slice", Bun.file(small).slice(2, 8).slice(1, 3), [206, "bytes 3-4/10", "34"]],
      ["last", Bun.file(small).slice(-3), [206, "bytes 7-9/10", "789"]],
      ["too-long", Bun.file(small).slice(6, 400), [206, "bytes 6-9/10", "6789"]],
      ["whole", Bun.file(small).slice(0, 400), [200, null, "0123456789"]],
      ["beyond", Bun.file(small).slice(100), [200, null, ""]],
      ["nothing", Bun.file(small).slice(3, 3), [200, null, ""]],
      ["large-middle", Bun.file(large).slice(5, 700_005), [206, `bytes 5-700004/${1 << 20}`, content.subarray(5, 700_005)]],
      ["large-last", Bun.file(large).slice(-300_000), [206, `bytes 748576-1048575/${1 << 20}`, content.subarray(-300_000)]],
      ["large-too-long", Bun.file(large).slice(2, 4e7), [206, `bytes 2-1048575/${1 << 20}`, content.subarray(2)]],
      ["large-beyond", Bun.file(large).slice(4e6), [200, null, ""]],
    ];
    const server = suite.serve({ routes: Object.fromEntries(slices.map(([name, slice]) => [`/${name}`, () => new Response(slice)])) });
    const connection = await suite.connect(server);
    for (const [name, , [status, range, bytes]] of slices) {
      const answer = await connection.fetch(`/${name}`);
      const said = [answer.status, answer.header("content-range"), answer.header("content-length"), answer.report.sha256];
      expect([name, ...said]).toEqual([name, status, range, String(bytes.length), sha256(bytes)]);
      expect([name, answer.report.ended]).toEqual([name, true]);
    }
  });

  test("P04 a slice keeps what the handler says of it", async () => {
    const slice = (): Bun.BunFile => Bun.file(small).slice(2, 4);
    const server = suite.serve({
      routes: {
        "/range": () => new Response(slice(), { headers: { "content-range": "bytes 2-3/*" } }),
        "/status": () => new Response(slice(), { status: 404 }),
        "/trailers": () => withTrailers(new Response(slice()), { "x-sum": "5" }),
        "/head": () => new Response(slice()),
      },
    });
    const connection = await suite.connect(server);
    const range = await connection.fetch("/range");
    expect([range.status, range.header("content-range"), range.text]).toEqual([206, "bytes 2-3/*", "23"]);
    const status = await connection.fetch("/status");
    expect([status.status, status.header("content-range"), status.text]).toEqual([404, null, "23"]);
    const trailers = await connection.fetch("/trailers");
    expect([trailers.status, trailers.text, trailers.report.trailers]).toEqual([206, "23", [["x-sum", "5"]]]);
    const head = await connection.fetch("/head", { method: "HEAD" });
    expect([head.status, head.header("content-range"), head.header("content-length")]).toEqual([200, null, "2"]);
  });

  test("P05 a missing file and a folder are 500 through error()", async () => {
    const codes: unknown[] = [];
    const server = suite.serve({
      routes: { "/missing": () => new Response(Bun.file(missing)), "/folder": () => new Response(Bun.file(folder)) },
      error(error) {
        codes.push((error as NodeJS.ErrnoException).code);
        return new Response("failed", { status: 500 });
      },
    });
    const connection = await suite.connect(server);
    for (const path of ["/missing", "/folder"]) {
      const answer = await connection.fetch(path);
      expect([path, answer.status, answer.text]).toEqual([path, 500, "failed"]);
    }
    expect(codes).toEqual(["ENOENT", "EISDIR"]);
  });

  test("P05 a route to a missing file leaves the path to fetch, and without one it is 404", async () => {
    const routes = { "/file": Bun.file(missing), "/response": new Response(Bun.file(missing)), "/there": Bun.file(small) };
    const requests: [string][] = [["/file"], ["/response"]];
    const left = await suite.same({ routes, fetch: () => new Response("left to fetch") }, requests);
    expect(left.map((a) => [a.status, a.text])).toEqual(requests.map(() => [200, "left to fetch"]));
    const none = await suite.same({ routes }, requests);
    expect(none.map((a) => a.status)).toEqual([404, 404]);
  });

  /** The ways in which one Blob of a file answers again and again. */
  function ways(file: string): Record<string, Bun.BunFile | Response | (() => Response)> {
    const kept = Bun.file(file);
    return { "/route": Bun.file(file), "/response": new Response(Bun.file(file)), "/kept": () => new Response(kept) };
  }

  test("G11 a file that grows, shrinks or is replaced between answers is sent as it is", async () => {
    const file = join(folder, `changing-${process.pid}.txt`);
    const states = ["12345", "1234567890", "123", "", content, "12", content.subarray(0, 700_001)];
    writeFileSync(file, states[0]!);
    const server = suite.serve({ routes: ways(file) });
    const connection = await suite.connect(server);
    for (const [i, state] of states.entries()) {
      if (i === 2) renameSync(file, `${file}.old`);
      writeFileSync(file, state);
      for (const path of ["/route", "/response", "/kept"]) {
        const answer = await connection.fetch(path);
        const said = [answer.status, answer.header("content-range"), answer.header("content-length"), answer.report.sha256];
        expect([i, path, ...said]).toEqual([i, path, 200, null, String(state.length), sha256(state)]);
      }
    }
  });

  test("G11 a static file is sent whole though the program has asked for its size, and no name of a Blob leads to another file", async () => {
    const [file, other] = [join(folder, `asked-${process.pid}.txt`), join(folder, `other-${process.pid}.txt`)];
    writeFileSync(file, "12345");
    writeFileSync(other, "the other file");
    const [asked, named] = [Bun.file(file), Bun.file(file)];
    const server = suite.serve({ routes: { "/asked": asked, "/named": () => new Response(named), "/last": () => new Response(Object.assign(Bun.file(file).slice(-2), { name: other })) } });
    expect(asked.size).toBe(5);
    const connection = await suite.connect(server);
    expect((await connection.fetch("/named")).text).toBe("12345");
    Object.assign(named, { name: other });
    expect((await connection.fetch("/named")).text).toBe("12345");
    writeFileSync(file, "1234567890");
    const answer = await connection.fetch("/asked");
    expect([answer.status, answer.text]).toEqual([200, "1234567890"]);
    const renamed = await connection.fetch("/named");
    expect([renamed.status, renamed.header("content-range"), renamed.text]).toEqual([206, "bytes 0-4/10", "12345"]);
    expect((await connection.fetch("/last")).status).toBe(500);
  });

  test("G11 a slice stays what it is of the file as it is", async () => {
    const file = join(folder, `sliced-${process.pid}.txt`);
    writeFileSync(file, "12345");
    const whole = Bun.file(file);
    const slices = { "/begin": whole.slice(0, 3), "/rest": whole.slice(2), "/last": whole.slice(-2), "/whole": whole };
    const server = suite.serve({ routes: Object.fromEntries(Object.entries(slices).map(([path, slice]) => [path, () => new Response(slice)])) });
    const connection = await suite.connect(server);
    for (const [state, ...expected] of [
      ["12345", "206 bytes 0-2/5 123", "206 bytes 2-4/5 345", "206 bytes 3-4/5 45", "200 null 12345"],
      ["1234567890", "206 bytes 0-2/10 123", "206 bytes 2-9/10 34567890", "206 bytes 8-9/10 90", "200 null 1234567890"],
      ["123", "200 null 123", "206 bytes 2-2/3 3", "206 bytes 1-2/3 23", "200 null 123"],
    ]) {
      writeFileSync(file, state!);
      const answers: string[] = [];
      for (const path of Object.keys(slices)) {
        const answer = await connection.fetch(path);
        answers.push(`${answer.status} ${answer.header("content-range")} ${answer.text}`);
      }
      expect([state, ...answers]).toEqual([state, ...expected]);
    }
  });

  test("G11 a file that grows or is deleted while it is sent is sent as it was; one that shrinks ends with a reset", async () => {
    const file = join(folder, `under-way-${process.pid}.bin`);
    const long = new Uint8Array(6 << 20).map((_, i) => i >> 8);
    const server = suite.serve({ routes: { "/file": Bun.file(file) } });
    const connection = await suite.connect(server);
    for (const [change, whole] of [
      [() => appendFileSync(file, "more"), true],
      [() => unlinkSync(file), true],
      [() => truncateSync(file, 1 << 20), false],
    ] as const) {
      writeFileSync(file, long);
      const request = await connection.request("/file", { allowance: 1 << 16 });
      await request.response(1 << 16);
      change();
      await request.allow();
      const { status, bytes, sha256: hash, ended, reset, headers } = await request.response("end", 30);
      expect([status, new Map(headers).get("content-length"), ended, reset]).toEqual([200, String(long.length), whole, whole ? null : 0x102]);
      if (whole) expect([bytes, hash]).toEqual([long.length, sha256(long)]);
    }
  });

  test("G11 a file that is deleted leaves its route to fetch, without one it is 404, until it is there again", async () => {
    const file = join(folder, `deleted-${process.pid}.txt`);
    const routes = (): Record<string, Bun.BunFile | Response> => ({ "/route": Bun.file(file), "/response": new Response(Bun.file(file)) });
    writeFileSync(file, "there");
    const servers = [suite.serve({ routes: routes(), fetch: () => new Response("left to fetch") }), suite.serve({ routes: routes() })];
    const never = suite.serve({ routes: routes(), fetch: () => new Response("left to fetch") });
    const told = async (server: H3Server): Promise<unknown[]> => {
      const connection = await suite.connect(server);
      const answers: unknown[] = [];
      for (const path of ["/route", "/response"]) {
        const { status, text } = await connection.fetch(path);
        answers.push(status, text);
      }
      return answers;
    };
    for (const server of servers) expect(await told(server)).toEqual([200, "there", 200, "there"]);
    unlinkSync(file);
    expect(await told(servers[0]!)).toEqual([200, "left to fetch", 200, "left to fetch"]);
    expect(await told(servers[1]!)).toEqual([404, "", 404, ""]);
    expect(await told(never)).toEqual([200, "left to fetch", 200, "left to fetch"]);
    writeFileSync(file, "again");
    for (const server of [...servers, never]) expect(await told(server)).toEqual([200, "again", 200, "again"]);
  });
});
