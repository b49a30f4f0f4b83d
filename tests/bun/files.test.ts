/** Responses that are files, and parts of files. */
import { beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { withTrailers } from "../../bindings/bun/src/index.ts";
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
});
