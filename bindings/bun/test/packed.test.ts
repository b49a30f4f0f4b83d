/** The codec of header lists. */
import { describe, expect, test } from "bun:test";
import { listHeaders, readFields, writeField, writeHeaders } from "../src/native/packed.ts";
import type { RawBuffer } from "../src/native/memory.ts";

const buffer = (size: number): RawBuffer => Buffer.alloc(size) as unknown as RawBuffer;

describe("packed header lists", () => {
  test("a field is u16 name length, u32 value length, name, value", () => {
    const into = buffer(32);
    expect(writeField(into, 0, "ab", "xyz")).toBe(11);
    expect(into.subarray(0, 12).toString("hex")).toBe("0200" + "03000000" + "6162" + "78797a" + "00");
  });

  test("what is written is read again: empty values, long ones, bytes above 127", () => {
    const fields: [string, string][] = [
      ["empty", ""],
      ["latin", "\xff\x80é"],
      ["long", "x".repeat(70_000)],
    ];
    const into = buffer(80_000);
    let end = 0;
    for (const [name, value] of fields) end = writeField(into, end, name, value);
    expect(readFields(into.latin1Slice(0, end))).toEqual(fields);
  });

  test("a list that ends inside a field is a RangeError", () => {
    const into = buffer(32);
    const end = writeField(into, 0, "name", "value");
    for (let cut = 1; cut < end; cut++) expect(() => readFields(into.latin1Slice(0, cut))).toThrow(RangeError);
  });

  test("what does not fit is -1, and nothing behind the buffer is touched", () => {
    const into = buffer(16);
    expect(writeField(into, 0, "name", "value.")).toBe(16);
    expect(writeField(into, 0, "name", "value..")).toBe(-1);
    expect(writeField(into, 10, "a", "")).toBe(-1);
  });

  test("Headers go out with each set-cookie of its own", () => {
    const headers = new Headers([
      ["X-A", "1"],
      ["Set-Cookie", "a=1"],
      ["Set-Cookie", "b=2"],
    ]);
    const into = buffer(256);
    const end = writeHeaders(into, listHeaders(headers));
    expect(readFields(into.latin1Slice(0, end)).sort()).toEqual([
      ["set-cookie", "a=1"],
      ["set-cookie", "b=2"],
      ["x-a", "1"],
    ]);
  });
});
