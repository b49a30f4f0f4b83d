/** The error class of WebTransport. */
import { expect, test } from "bun:test";
import { codeOf, WebTransportError } from "../src/webtransport/streams/webtransport_error.ts";

test("W17 WebTransportError is a DOMException with source and code", () => {
  const error = new WebTransportError("lost", { source: "session", streamErrorCode: 7 });
  expect(error).toBeInstanceOf(DOMException);
  expect([error.name, error.code, error.message, error.source, error.streamErrorCode]).toEqual(["WebTransportError", 0, "lost", "session", 7]);
  const plain = new WebTransportError();
  expect([plain.message, plain.source, plain.streamErrorCode]).toEqual(["", "stream", null]);
});

test("W17 the older form takes one object", () => {
  const error = new WebTransportError({ message: "old", streamErrorCode: 9 });
  expect([error.message, error.source, error.streamErrorCode]).toEqual(["old", "stream", 9]);
});

test("W17 codes are clamped to 32 bits, halves go to the even side", () => {
  const code = (value: unknown): number | null => new WebTransportError("", { streamErrorCode: value as number }).streamErrorCode;
  expect([-1, 2 ** 32, NaN, 0.5, 1.5, 2.5, 2.6, "12"].map(code)).toEqual([0, 0xffff_ffff, 0, 0, 2, 2, 3, 12]);
});

test("W17 a source that is none is a TypeError", () => {
  expect(() => new WebTransportError("", { source: "peer" as never })).toThrow(new TypeError('source must be "stream" or "session", not "peer"'));
});

test("W10 the code for the peer is a WebTransportError's, else 0", () => {
  expect([new WebTransportError("", { streamErrorCode: 42 }), new WebTransportError(), new Error("x"), undefined].map(codeOf)).toEqual([42, 0, 0, 0]);
});

test("W17 a clone of it keeps name and message, as Bun clones any DOMException", () => {
  const clone = structuredClone(new WebTransportError("lost", { streamErrorCode: 7 }));
  expect([clone instanceof DOMException, clone.name, clone.message, clone.streamErrorCode]).toEqual([true, "WebTransportError", "lost", undefined as never]);
});
