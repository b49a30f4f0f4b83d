/** Codes and reasons of a session's end. */
import { describe, expect, test } from "bun:test";
import { checkCloseInfo, encodeReason } from "../src/webtransport/close_info.ts";

describe("close info", () => {
  test("W11 what is left out has its default; codes are 32 bits", () => {
    expect(checkCloseInfo(undefined)).toEqual({ closeCode: 0, reason: "" });
    expect(checkCloseInfo({ closeCode: 2 ** 32 + 5, reason: "bye" })).toEqual({ closeCode: 5, reason: "bye" });
    expect(checkCloseInfo({ closeCode: 0xffff_ffff })).toEqual({ closeCode: 0xffff_ffff, reason: "" });
    expect(() => checkCloseInfo(5)).toThrow(new TypeError("close() takes an object of closeCode and reason"));
  });

  test("W12 a reason of 1024 bytes goes whole, a longer one is cut between two characters", () => {
    expect(encodeReason("a".repeat(1024)).length).toBe(1024);
    expect(encodeReason("a".repeat(1025)).length).toBe(1024);
    expect(encodeReason("a".repeat(1023) + "é").length).toBe(1023);
    expect(encodeReason("a".repeat(1021) + "😀").length).toBe(1021);
    expect(encodeReason("a".repeat(1020) + "😀").length).toBe(1024);
    expect(encodeReason("a".repeat(1020) + "😀b").length).toBe(1024);
  });

  test("W12 a lone surrogate becomes U+FFFD", () => {
    expect(checkCloseInfo({ reason: "a\ud800b" }).reason).toBe("a\ufffdb");
  });
});
