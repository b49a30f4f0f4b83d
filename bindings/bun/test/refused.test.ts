/** Calls that found no room: made again when there is some, each, in their order, and no sooner. */
import { describe, expect, test } from "bun:test";
import { ERROR } from "../src/native/layout.ts";
import { resume, untilTaken, whenWritable } from "../src/native/refused.ts";

describe("calls that are refused", () => {
  test("one that is taken is made once, and its code told", () => {
    for (const code of [0, 7, ERROR.STALE_HANDLE]) {
      const told: number[] = [];
      let made = 0;
      untilTaken(1, () => (made++, code), (code) => told.push(code));
      resume(1);
      expect([made, told]).toEqual([1, [code]]);
    }
  });

  test("one that finds no room is made again at each WRITABLE of its own object, until it is taken", () => {
    const told: number[] = [];
    let made = 0;
    untilTaken(1, () => (++made < 4 ? ERROR.WOULD_BLOCK : 0), (code) => told.push(code));
    const seen = [];
    for (const object of [2, 1, 2, 1, 1, 1]) {
      resume(object);
      seen.push([made, told.length]);
    }
    expect(seen).toEqual([[1, 0], [2, 0], [2, 0], [3, 0], [4, 1], [4, 1]]);
    expect(told).toEqual([0]);
  });

  test("what one of them throws keeps none back, is thrown, and is not done again", () => {
    const done: string[] = [];
    whenWritable(1, () => done.push("first"));
    for (const name of ["second", "third"]) {
      whenWritable(1, () => {
        done.push(name);
        throw new Error(name);
      });
    }
    whenWritable(1, () => done.push("fourth"));
    expect(() => resume(1)).toThrow("second");
    resume(1);
    expect(done).toEqual(["first", "second", "third", "fourth"]);
  });
});
