/** Heads of requests out of a queue's memory, and what is kept of them. */
import { describe, expect, test } from "bun:test";
import { HeadReader, type RequestHead } from "../src/http/head_reader.ts";
import type { RawBuffer } from "../src/native/memory.ts";
import { writeField } from "../src/native/packed.ts";

type Field = [name: string, value: string];

/** A queue's memory with heads in it. */
class Queue {
  readonly #bytes = Buffer.alloc(1 << 20, 0xee) as unknown as RawBuffer;
  readonly reader = new HeadReader(this.#bytes, new Int32Array(this.#bytes.buffer, this.#bytes.byteOffset, 1 << 18));
  #free = 0;
  #rubbish = 0;

  /** Writes a head, with other rubbish behind it each time, and reads it. */
  read(path: string, { method = "GET", scheme = "https", authority = "a.test", protocol = "", fields = [] as Field[] } = {}): RequestHead {
    const at = this.#free;
    const list: Field[] = [[":method", method], [":scheme", scheme], [":authority", authority], [":path", path]];
    if (protocol !== "") list.push([":protocol", protocol]);
    let end = at;
    for (const [name, value] of [...list, ...fields]) end = writeField(this.#bytes, end, name, value);
    this.#bytes.fill((this.#rubbish += 37) & 0xff, end, end + 8);
    this.#free = (end + 63) & -64;
    return this.reader.read(at, end - at);
  }
}

const told = (head: RequestHead): unknown[] => {
  const request = new Request(head.url, head.init);
  return [head.method, request.url, head.path, [...request.headers].sort()];
};

describe("heads", () => {
  test("a head is what was sent, whichever ones were read before it", () => {
    const queue = new Queue();
    const cases: [string, Parameters<Queue["read"]>[1]][] = [];
    for (const path of ["/", "/a", "/b", "/ab?c=%20", "/longer/than/the/others"]) {
      for (const method of ["GET", "PUT"]) {
        for (const value of ["", "x", "y", "z".repeat(300), "w".repeat(5000)]) cases.push([path, { method, fields: [["x-some", value], ["x-other", path]] }]);
      }
    }
    for (const order of [cases, cases.toReversed(), [...cases, ...cases]]) {
      for (const [path, head] of order) {
        const fields = [["host", "a.test"], ...head!.fields!].sort();
        expect(told(queue.read(path, head))).toEqual([head!.method!, `https://a.test${path}`, path, fields]);
      }
    }
  });

  test("one that is equal byte for byte is the same object; two of one length are kept, of which the older makes room", () => {
    const queue = new Queue();
    for (const more of ["", "a", "ab", "abc"]) {
      const read = (path: string): RequestHead => queue.read(path + more);
      const [one, two] = [read("/one"), read("/two")];
      for (let i = 0; i < 3; i++) expect([read("/one") === one, read("/two") === two]).toEqual([true, true]);
      read("/six");
      expect([read("/two") === two, read("/one") === one]).toEqual([true, false]);
    }
  });

  test("those that differ in their path alone are made of one Request; any other byte makes another", () => {
    const queue = new Queue();
    const fields: Field[] = [["accept", "*/*"]];
    const { init } = queue.read("/", { fields });
    expect(init).toBeInstanceOf(Request);
    expect(queue.read("/a/much/longer/path?with=query", { fields }).init).toBe(init);
    for (const other of [
      { fields: [["accept", "*/+"]] as Field[] },
      { fields, method: "PUT" },
      { fields, scheme: "httpt" },
      { fields, authority: "b.test" },
      { fields, protocol: "webtransport" },
    ]) {
      expect(queue.read("/", other).init).not.toBe(init);
    }
  });

  test("what large heads have in common is not kept, so that no client fills this side's memory", () => {
    for (const [length, kept] of [[3000, true], [5000, false]] as const) {
      const queue = new Queue();
      const fields: Field[] = [["x-large", "x".repeat(length)]];
      expect(queue.read("/a", { fields }).init === queue.read("/b/c", { fields }).init).toBe(kept);
    }
  });

  test("what a Request made of it does to its headers no other one sees", () => {
    const queue = new Queue();
    const request = new Request(queue.read("/").url, queue.read("/").init);
    request.headers.set("host", "changed");
    request.headers.set("x-added", "here");
    for (const path of ["/", "/new"]) expect(told(queue.read(path))).toEqual(["GET", `https://a.test${path}`, path, [["host", "a.test"]]]);
  });

  test("the URL: by host where there is no authority, without a path for *, of http where it is", () => {
    const queue = new Queue();
    expect(queue.read("/x", { authority: "", fields: [["host", "b.test"]] }).url).toBe("https://b.test/x");
    expect(queue.read("/x", { authority: "" }).url).toBe("https://localhost/x");
    expect(queue.read("/x", { authority: "a.test", fields: [["host", "b.test"]] }).url).toBe("https://a.test/x");
    expect(queue.read("*", { method: "OPTIONS" }).url).toBe("https://a.test/");
    expect(queue.read("/x", { scheme: "http" }).url).toBe("http://a.test/x");
  });

  test("what stands in :protocol is no header, also where the rest was the same", () => {
    const queue = new Queue();
    const fields: Field[] = [["origin", "https://a.test"]];
    const headers = [["host", "a.test"], ["origin", "https://a.test"]];
    for (const path of ["/s", "/t", "/s"]) {
      expect([...queue.read(path, { protocol: "webtransport", fields }).headers].sort()).toEqual(headers as Field[]);
      expect([...queue.read(path, { fields }).headers].sort()).toEqual(headers as Field[]);
    }
  });

  test("an authority that makes no URL is told, and no path mends it", () => {
    const queue = new Queue();
    for (const path of ["/", "/other", "/"]) {
      const head = queue.read(path, { authority: "a.test:99999" });
      expect(head.valid).toBe(false);
      expect(() => new Request(head.url, head.init)).toThrow(TypeError);
      expect(queue.read(path).valid).toBe(true);
    }
  });

  test("a body comes with method and headers", async () => {
    const head = new Queue().read("/", { method: "PUT", fields: [["x-some", "1"]] });
    const request = new Request(head.url, head.initWith(new TextEncoder().encode("body")));
    expect([request.method, [...request.headers].sort(), await request.text()]).toEqual(["PUT", [["host", "a.test"], ["x-some", "1"]], "body"]);
  });
});
