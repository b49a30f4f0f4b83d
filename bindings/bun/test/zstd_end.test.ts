/** Where zstd ends, also for a decoder that takes a frame at a time, as that of Bun 1.3. */
import { expect, test } from "bun:test";
import { zstdCompressSync } from "node:zlib";
import { ZstdEnd } from "../src/client/fetch/zstd_end.ts";

const SKIPPED = Buffer.from("502a4d1803000000aabbcc", "hex");
const frames = [SKIPPED, zstdCompressSync("one"), zstdCompressSync(""), SKIPPED, zstdCompressSync(Buffer.alloc(300_000, 1))];
const all = Buffer.concat(frames);

/** How long the pieces are that a decoder is given of this. */
function pieces(end: ZstdEnd, bytes: Uint8Array): number[] {
  const lengths: number[] = [];
  for (let at = 0; at < bytes.length; at += lengths.at(-1)!) lengths.push(end.take(bytes.subarray(at)));
  return lengths;
}

test("a decoder that takes one frame at a time is given one", () => {
  const end = new ZstdEnd(false);
  expect(pieces(end, all)).toEqual(frames.map(({ length }) => length));
  expect(end.reached).toBe(true);
  expect(pieces(end, all.subarray(0, 5))).toEqual([5]);
  expect(end.reached).toBe(false);
  expect(pieces(end, all.subarray(5, 15))).toEqual([SKIPPED.length - 5, 15 - SKIPPED.length]); // on where it was
});

test("another one is given all that is there, and so is one that is to see what is no zstd", () => {
  expect(pieces(new ZstdEnd(), all)).toEqual([all.length]);
  const end = new ZstdEnd(false);
  expect(pieces(end, Buffer.concat([frames[1]!, Buffer.from("rubbish")]))).toEqual([frames[1]!.length, 7]);
  expect(end.reached).toBe(true);
});
