/** Content codings of responses: what a reader that has had enough tells the body behind them. */
import { expect, test } from "bun:test";
import { gzipSync } from "node:zlib";
import { codingsOf, decodeStream } from "../src/client/fetch/decode.ts";

/** A body that begins with these bytes and goes on for ever, and what it was cancelled with. */
function endless(begin: Uint8Array): { body: ReadableStream<Uint8Array>; cancelled: unknown[] } {
  const cancelled: unknown[] = [];
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => {
      if (begin.length > 0) controller.enqueue(begin);
    },
    cancel: (reason) => void cancelled.push(reason),
  });
  return { body, cancelled };
}

const packed = gzipSync(Buffer.from("again ".repeat(10_000)));

for (const [when, coding, begin] of [
  ["before anything has come", "gzip", new Uint8Array(0)],
  ["in the middle", "gzip", packed.subarray(0, packed.length - 8)],
  ["behind two of them", "gzip, gzip", gzipSync(packed).subarray(0, -8)],
] as const) {
  test(`cancel() reaches the body at once, with its reason: ${when}`, async () => {
    const { body, cancelled } = endless(begin);
    const reader = decodeStream(codingsOf(coding)!, body).getReader();
    const first = reader.read();
    if (begin.length > 0) expect((await first).done).toBe(false);
    await reader.cancel("enough");
    expect(cancelled).toEqual(["enough"]);
    expect((await first).done).toBe(begin.length === 0);
  });
}
