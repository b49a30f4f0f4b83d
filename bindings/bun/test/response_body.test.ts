/** A response's body that comes in pieces: what its reader gets, what the server is paid, and whom it keeps. */
import { describe, expect, test } from "bun:test";
import { ResponseBody, type BodyOwner } from "../src/client/fetch/response_body.ts";

/** Notes what a body tells its fetch. */
class Noted implements BodyOwner {
  readonly told: string[] = [];
  taken(bytes: number): void {
    this.told.push(`taken ${bytes}`);
  }
  waits(waiting: boolean): void {
    this.told.push(waiting ? "waits" : "waits no more");
  }
  unwanted(): void {
    this.told.push("unwanted");
  }
}

const bytes = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);
const text = (value: unknown): string => new TextDecoder().decode(value as Uint8Array);

function made(first: string | null = null): { owner: Noted; body: ResponseBody } {
  const owner = new Noted();
  return { owner, body: new ResponseBody(owner, first === null ? null : bytes(first)) };
}

describe("a response's body", () => {
  test("what came with the head costs no credit, what comes later does as it is read, and nothing behind the end", async () => {
    const { owner, body } = made("first");
    const reader = body.stream().getReader();
    body.push(bytes("second"));
    expect(owner.told).toEqual([]);
    expect(text((await reader.read()).value)).toBe("first");
    expect(owner.told).toEqual([]);
    expect(text((await reader.read()).value)).toBe("second");
    expect(owner.told).toEqual(["taken 6"]);
    body.push(bytes("third"));
    body.end();
    expect(text((await reader.read()).value)).toBe("third");
    expect((await reader.read()).done).toBe(true);
    expect(owner.told).toEqual(["taken 6"]);
    expect(body.over).toBe(true);
  });

  test("who has got a piece waits no more, until it asks for the next", async () => {
    const { owner, body } = made();
    const reader = body.stream().getReader();
    for (const piece of ["a", "b"]) {
      const read = reader.read();
      await Promise.resolve();
      body.push(bytes(piece));
      expect(text((await read).value)).toBe(piece);
      expect(owner.told.splice(0)).toEqual(["waits", "waits no more", "taken 1"]);
    }
  });

  test("who waits is told of, once", async () => {
    const { owner, body } = made();
    const reader = body.stream().getReader();
    const reads = [reader.read(), reader.read()];
    await Promise.resolve();
    expect(owner.told).toEqual(["waits"]);
    body.push(bytes("a"));
    expect(text((await reads[0]!).value)).toBe("a");
    body.push(bytes("b"));
    body.end();
    expect(text((await reads[1]!).value)).toBe("b");
    expect(owner.told.filter((one) => one.startsWith("waits")).at(-1)).toBe("waits no more");
    expect(owner.told.filter((one) => one === "waits").length).toBe(owner.told.filter((one) => one === "waits no more").length);
  });

  for (const [when, early] of [["before its stream is asked for", true], ["while it is read", false]] as const) {
    test(`one that ends, and one that fails, ${when}`, async () => {
      const ended = made("all");
      if (early) ended.body.end();
      const reader = ended.body.stream().getReader();
      if (!early) ended.body.end();
      expect(text((await reader.read()).value)).toBe("all");
      expect((await reader.read()).done).toBe(true);
      const empty = made();
      if (early) empty.body.end();
      const none = empty.body.stream().getReader();
      if (!early) empty.body.end();
      expect((await none.read()).done).toBe(true);
      const failed = made("lost");
      if (early) failed.body.fail(new RangeError("why"));
      const broken = failed.body.stream().getReader();
      if (!early) failed.body.fail(new RangeError("why"));
      expect(await broken.read().catch((error: unknown) => error)).toEqual(new RangeError("why"));
      failed.body.push(bytes("late"));
      failed.body.end();
      failed.body.fail(new Error("again"));
    });
  }

  test("cancel() gives the fetch up, once, and not behind its end", async () => {
    const { owner, body } = made();
    const stream = body.stream();
    await stream.cancel("why");
    body.push(bytes("late"));
    expect(owner.told).toEqual(["unwanted"]);
    const ended = made();
    ended.body.end();
    await ended.body.stream().cancel();
    expect(ended.owner.told).toEqual([]);
  });

  test("a stream that nobody has any more gives the fetch up", async () => {
    const { owner, body } = made();
    (() => void body.stream())();
    for (let i = 0; i < 500 && owner.told.length === 0; i++) {
      Bun.gc(true);
      await Bun.sleep(2);
    }
    expect(owner.told).toEqual(["unwanted"]);
    body.push(bytes("late"));
  });

  test("one that is waited for is kept", async () => {
    const { owner, body } = made();
    const read = (() => body.stream().getReader().read())();
    for (let i = 0; i < 20; i++) {
      Bun.gc(true);
      await Bun.sleep(1);
    }
    expect(owner.told).toEqual(["waits"]);
    body.push(bytes("late"));
    expect(text((await read).value)).toBe("late");
  });
});
