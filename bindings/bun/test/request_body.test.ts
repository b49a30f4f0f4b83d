import { expect, test } from "bun:test";
import { extract, LARGEST_WHOLE, settled, type Extracted, type RequestBody } from "../src/client/fetch/request_body.ts";

type InMemory = Extract<RequestBody, { bytes: Uint8Array }>;

const given = new Uint8Array(LARGEST_WHOLE + 1).fill(7);

/** What is made of a body that needs not be read first. */
const bodyOf = (input: Parameters<typeof extract>[0]): InMemory => (extract(input) as Extracted).body as InMemory;

test.each<[string, Parameters<typeof extract>[0]]>([
  ["a view", given],
  ["an ArrayBuffer", given.buffer],
  ["a string", "x".repeat(LARGEST_WHOLE + 1)],
])("the memory of a large body of %s goes with the last that needs it", (_, input) => {
  const body = bodyOf(input);
  body.lease!.join(); // it is sent
  body.lease!.join(); // and once more, where a redirect leads to
  body.lease!.letGo();
  settled(body);
  expect(body.bytes.length).toBe(LARGEST_WHOLE + 1);
  body.lease!.letGo();
  expect(body.bytes.length).toBe(0);
});

test("what a body was made of stays as it is", () => {
  const body = bodyOf(given);
  settled(body);
  expect([body.bytes.length, given.length, given[LARGEST_WHOLE]]).toEqual([0, LARGEST_WHOLE + 1, 7]);
});

test("a small body is left to the collector", () => {
  const body = bodyOf(given.subarray(0, LARGEST_WHOLE));
  settled(body);
  expect([body.lease, body.bytes.length]).toEqual([undefined, LARGEST_WHOLE]);
});
