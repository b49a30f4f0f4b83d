/** Large bodies that are sent in parts. */
import { expect, test } from "bun:test";
import { ownBytes, OutgoingBytes } from "../src/http/outgoing_bytes.ts";
import type { Carrier, OutgoingCalls } from "../src/http/outgoing.ts";
import { ERROR, H3_INTERNAL_ERROR } from "../src/native/layout.ts";
import { withFakeLibrary } from "./fake_library.ts";

withFakeLibrary();

/** Who carries the body, and what becomes of that. */
function carrying(code: number): { carrier: Carrier; calls: OutgoingCalls; seen: unknown[] } {
  const seen: unknown[] = [];
  return {
    seen,
    carrier: { handle: 7, gone: false, sent: () => void seen.push("sent"), what: "response", bodyFailed: ({ level, tier, message }) => void seen.push([level, tier, message]) },
    calls: { write: () => code, end: () => 0, trailers: () => 0, reset: (handle, code) => (seen.push(["reset", handle, code]), 0) },
  };
}

test("a body that is shorter than it said is cut off, and told", () => {
  const { carrier, calls, seen } = carrying(0);
  let released = 0;
  new OutgoingBytes(carrier, calls, { size: 100, piece: () => new Uint8Array(0), letGo: () => void released++ }).run();
  expect(seen).toEqual([["error", "handler", "a response was cut off: the body ends at 0 of 100 bytes"], ["reset", 7, H3_INTERNAL_ERROR]]);
  expect(released).toBe(1);
});

test("what the library takes no more is cut off and told where somebody still waits for it, and else forgotten", () => {
  for (const [code, name] of [[ERROR.NO_MEMORY, "NO_MEMORY"], [ERROR.INVALID_ARGUMENT, "INVALID_ARGUMENT"]] as const) {
    const { carrier, calls, seen } = carrying(code);
    new OutgoingBytes(carrier, calls, ownBytes(new Uint8Array(9))).run();
    expect(seen).toEqual([["error", "engine", `a response was cut off:  (ZIG_H3_ERR_${name})`], ["reset", 7, H3_INTERNAL_ERROR]]);
  }
  const { carrier, calls, seen } = carrying(ERROR.STALE_HANDLE);
  new OutgoingBytes(carrier, calls, ownBytes(new Uint8Array(9))).run();
  expect([seen, carrier.gone]).toEqual([[], true]);
});
