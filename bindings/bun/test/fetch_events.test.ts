/** What clients have asked for, where no event comes any more. */
import { expect, test } from "bun:test";
import { ERROR } from "../src/native/layout.ts";
import { FetchEvents, type FetchEnd, type FetchSink } from "../src/queue/fetch_events.ts";
import type { RecordReader } from "../src/queue/records.ts";

test("whoever waits for a fetch or a connection learns that nothing will come", () => {
  const events = new FetchEvents({} as RecordReader);
  const error = new Error("the queue has failed");
  const failed: unknown[] = [];
  const ends: FetchEnd[] = [];
  for (const handle of [1, 2]) events.fetches.set(handle, { fail: (reason) => failed.push(reason) } as Partial<FetchSink> as FetchSink);
  for (const handle of [3, 4]) {
    events.connecting.set(handle, (end) => {
      ends.push(end);
      throw new Error("on purpose"); // which keeps nothing from the others
    });
  }
  events.broken(error);
  expect(failed).toEqual([error, error]);
  const end = { code: ERROR.FATAL, remote: false, wire: 0, why: "the queue has failed" };
  expect(ends).toEqual([end, end]);
  expect([events.fetches.size, events.connecting.size]).toEqual([0, 0]);
});
