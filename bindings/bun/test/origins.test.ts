/** Which pages may open sessions. */
import { describe, expect, test } from "bun:test";
import { checkOrigins, sameOrigin } from "../src/server/api/origins.ts";
import type { H3Request } from "../src/server/api/request.ts";
import { offeredProtocols } from "../src/server/api/offered_protocols.ts";

const request = { url: "https://example.com:4433/wt" } as H3Request;

describe("origins", () => {
  test("W02 the default: the server's own origin, and who names none", () => {
    const allowed = [null, "https://example.com:4433", "https://EXAMPLE.com:4433", "https://example.com", "http://example.com:4433", "null", "x"];
    expect(allowed.map((origin) => sameOrigin(origin, request))).toEqual([true, true, true, false, false, false, false]);
    expect(sameOrigin("https://example.com", { url: "https://example.com:443/wt" } as H3Request)).toBe(true);
  });

  test("W02 a list", () => {
    const check = checkOrigins("origins", ["https://a.example", "http://b.example:80"])!;
    expect(["https://a.example", "https://a.example:443", "http://b.example", "https://b.example", null].map((o) => check(o, request))).toEqual([
      true, true, true, false, true,
    ]);
    expect(checkOrigins("origins", ["*"])!("https://any.example", request)).toBe(true);
    expect(checkOrigins("origins", [])!("https://any.example", request)).toBe(false);
    expect(checkOrigins("origins", ["null"])!("null", request)).toBe(true);
  });

  test("C09 what is no origin is a TypeError", () => {
    for (const bad of ["example.com", "https://a.example/path", 5]) {
      expect(() => checkOrigins("webtransport.origins", [bad])).toThrow(/^webtransport\.origins must hold origins like/);
    }
    expect(() => checkOrigins("origins", "https://a.example")).toThrow("origins must be an array of origins or a function");
  });
});

test("W17 the protocols that a client offers", () => {
  expect(offeredProtocols('"a", "b-2";q=1 , "c\\"d"')).toEqual(["a", "b-2", 'c"d']);
  for (const none of [null, "", "token", '"a",', '"a" "b"', '"a", b', '"a', "5"]) expect(offeredProtocols(none)).toEqual([]);
});
