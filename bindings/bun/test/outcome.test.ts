import { expect, test } from "bun:test";
import { Outcome } from "../src/common/outcome.ts";

test("W11 outcomes that are asked for before and after they are known", async () => {
  for (const early of [true, false]) {
    const good = new Outcome<number>();
    const bad = new Outcome<number>();
    const asked = early ? [good.promise, bad.promise] : [];
    good.resolve(1);
    good.reject(new Error("too late"));
    bad.reject("why");
    bad.resolve(2);
    expect(await good.promise).toBe(1);
    expect(await bad.promise.catch((error) => error)).toBe("why");
    if (early) expect(asked).toEqual([good.promise, bad.promise]);
    expect([good.settled, bad.settled, new Outcome().settled]).toEqual([true, true, false]);
  }
});
