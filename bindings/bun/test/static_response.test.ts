/** Heads that are packed once: those of plain responses, and of static ones. */
import { describe, expect, test } from "bun:test";
import { plainHead } from "../src/http/plain_head.ts";
import { packResponse } from "../src/http/static_response.ts";
import { withTrailers } from "../src/http/trailers.ts";
import { readFields } from "../src/native/packed.ts";

const fieldsOf = (list: Uint8Array): Record<string, string> => Object.fromEntries(readFields(Buffer.from(list).toString("latin1")));
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

type HeadersInit = NonNullable<ConstructorParameters<typeof Headers>[0]>;

describe("a head with a content-type at most", () => {
  const plain = (headers: HeadersInit, body: Uint8Array | null): Record<string, string> | undefined => {
    const list = plainHead(new Headers(headers), body);
    return list === undefined ? undefined : fieldsOf(list);
  };

  test("says the type that there is, else that of the body", () => {
    expect(plain({ "content-type": "a/b" }, bytes("x"))).toEqual({ "content-type": "a/b" });
    expect(plain({ "content-type": "a/b" }, null)).toEqual({ "content-type": "a/b" });
    expect(plain({}, bytes("x"))).toEqual({ "content-type": "text/plain;charset=utf-8" });
    expect(plain({}, new Uint8Array([0]))).toEqual({ "content-type": "application/octet-stream" });
    expect(plain({}, null)).toEqual({});
    expect(plain({}, bytes(""))).toEqual({});
  });

  test("is none where there is another header", () => {
    const others: [string, string][][] = [
      [["x-other", "1"]],
      [["set-cookie", "a=1"]],
      [["content-length", "1"]],
      [["content-type", "a/b"], ["x-other", "1"]],
      [["content-type", "a/b"], ["set-cookie", "a=1"]],
      [["set-cookie", "a=1"], ["set-cookie", "b=2"]],
    ];
    for (const headers of others) expect(plain(headers, bytes("x"))).toBeUndefined();
  });

  test("is right for more types than are kept, in any order", () => {
    const types = Array.from({ length: 200 }, (_, i) => `t/${i}-é`);
    for (const type of [...types, ...types.toReversed(), types[0]!, types[0]!]) expect(plain({ "content-type": type }, null)).toEqual({ "content-type": type });
  });
});

describe("a static Response", () => {
  test("is packed with what its body tells; HEAD is told what the handler says", () => {
    const packed = packResponse(new Response("text", { status: 201, headers: { "content-length": "9", "x-kept": "yes" } }))!;
    expect([packed.status, fieldsOf(packed.head), fieldsOf(packed.bare), Buffer.from(packed.body).toString()]).toEqual([
      201,
      { "x-kept": "yes", "content-type": "text/plain;charset=utf-8" },
      { "x-kept": "yes", "content-length": "9" },
      "text",
    ]);
  });

  test("is packed whatever holds its bytes, and stays to be read", async () => {
    const made = ["text", bytes("text"), new Blob(["text"])].map((body) => new Response(body));
    for (const response of [...made, ...made.map((response) => response.clone() as Response)]) {
      expect(Buffer.from(packResponse(response)!.body).toString()).toBe("text");
      expect(await response.text()).toBe("text");
    }
    expect(packResponse(new Response(null))!.body.length).toBe(0);
    expect(packResponse(new Response("no content", { status: 205 }))!.body.length).toBe(0);
  });

  test("is packed as it is, whatever its maker has put over its readers", () => {
    const response = new Response("text");
    for (const name of ["clone", "blob", "bytes"]) Object.defineProperty(response, name, { value: () => new Response("other") });
    expect(Buffer.from(packResponse(response)!.body).toString()).toBe("text");
  });

  test("is not where it cannot go out in one call", () => {
    expect(packResponse(withTrailers(new Response("x"), { a: "1" }))).toBeUndefined();
    expect(packResponse(new Response("x".repeat((256 << 10) + 1)))).toBeUndefined();
    expect(packResponse(new Response("x".repeat(256 << 10)))).toBeDefined();
    expect(packResponse(new Response("x", { headers: { "x-long": "y".repeat(64 << 10) } }))).toBeUndefined();
  });
});
