/** Alt-Svc (RFC 7838): what a field says, and what is remembered of origins. */
import { describe, expect, test } from "bun:test";
import { Alternatives, parseAltSvc } from "../src/client/fetch/alternatives.ts";

const DAY = 86_400;

describe("a field alt-svc", () => {
  for (const [field, expected] of [
    ['h3=":443"', { at: { host: "", port: 443 }, age: DAY }],
    ['h3=":443"; ma=60', { at: { host: "", port: 443 }, age: 60 }],
    ['h3=":443";ma="60"; persist=1', { at: { host: "", port: 443 }, age: 60 }],
    ['h2="alt.example:8443", h3="Alt.Example:444"; ma=5', { at: { host: "alt.example", port: 444 }, age: 5 }],
    ['h3-29=":443", h3=":444"', { at: { host: "", port: 444 }, age: DAY }],
    ['h3="[::1]:444"', { at: { host: "[::1]", port: 444 }, age: DAY }],
    ['h3=":443"; ma=99999999999', { at: { host: "", port: 443 }, age: 30 * DAY }],
    ['h3=":443"; ma=soon', { at: { host: "", port: 443 }, age: DAY }],
    ['h3=":443"; ma=9999999999', { at: { host: "", port: 443 }, age: 30 * DAY }],
    ['h3=":443"; x="a,b;ma=1"; ma=7', { at: { host: "", port: 443 }, age: 7 }],
    ['h3="a\\.b:443"', { at: { host: "a.b", port: 443 }, age: DAY }],
    ['h3=":0", h3=":70000", h3="x", h3=":5"', { at: { host: "", port: 5 }, age: DAY }],
    ['h2=":443"', undefined],
    ["h3=:443", undefined],
    ["", undefined],
    ["clear", undefined],
  ] as const) {
    test(field, () => expect<unknown>(parseAltSvc(field)).toEqual(expected));
  }
});

describe("what is remembered", () => {
  test("what an origin said, until it says otherwise, is broken or has run out", async () => {
    const known = new Alternatives();
    expect(known.of("https://a")).toBe(undefined);
    known.learn("https://a", 'h3=":444"');
    expect(known.of("https://a")).toEqual({ host: "", port: 444 });
    known.learn("https://a", null);
    known.learn("https://a", 'h2=":1"');
    expect(known.of("https://a")).toEqual({ host: "", port: 444 });
    known.broken("https://a");
    expect(known.of("https://a")).toBe(null);
    known.learn("https://a", 'h3=":445"');
    expect(known.of("https://a")).toEqual({ host: "", port: 445 });
    known.learn("https://a", " clear ");
    expect(known.of("https://a")).toBe(undefined);
    known.learn("https://a", 'h3=":444"; ma=0');
    await Bun.sleep(1);
    expect(known.of("https://a")).toBe(undefined);
  });

  test("for as many seconds as it said", async () => {
    const known = new Alternatives();
    known.learn("https://a", 'h3=":444"; ma=60');
    await Bun.sleep(100); // more than so many ms
    expect(known.of("https://a")).toEqual({ host: "", port: 444 });
  });

  test("of 1024 origins", () => {
    const known = new Alternatives();
    for (let i = 0; i < 1025; i++) known.broken(`https://${i}`);
    expect([known.of("https://0"), known.of("https://1")]).toEqual([undefined, null]);
  });
});
