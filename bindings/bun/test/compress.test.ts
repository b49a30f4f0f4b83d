/** The option compress: codings and levels. */
import { expect, test } from "bun:test";
import { checkCompress } from "../src/client/fetch/compress.ts";

/** What the option comes to: a coding, or the name of what is thrown. */
function outcome(value: unknown): string | undefined {
  try {
    return checkCompress(value)?.coding;
  } catch (error) {
    return (error as Error).name;
  }
}

test("nothing, true, a coding, or one with a level", () => {
  expect([undefined, null, false, true, "gzip", "deflate", "br", "zstd"].map(outcome)).toEqual([undefined, undefined, undefined, "gzip", "gzip", "deflate", "br", "zstd"]);
  expect([{ encoding: "br" }, { encoding: "br", level: undefined }].map(outcome)).toEqual(["br", "br"]);
  expect(["lz4", "toString", 1, {}, { level: 1 }, { encoding: true }].map(outcome)).toEqual(Array(6).fill("TypeError"));
});

for (const [encoding, least, most] of [["gzip", 0, 9], ["deflate", 0, 9], ["br", 0, 11], ["zstd", 1, 22]] as const) {
  test(`levels of ${encoding}`, () => {
    expect([least, most].map((level) => outcome({ encoding, level }))).toEqual([encoding, encoding]);
    expect([least - 1, most + 1].map((level) => outcome({ encoding, level }))).toEqual(["RangeError", "RangeError"]);
    expect([least + 0.5, NaN, "1"].map((level) => outcome({ encoding, level }))).toEqual(Array(3).fill("TypeError"));
  });
}
