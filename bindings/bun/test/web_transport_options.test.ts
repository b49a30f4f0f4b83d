/** What `new WebTransport()` takes and refuses. */
import { describe, expect, test } from "bun:test";
import { checkWish } from "../src/client/session/web_transport_options.ts";

const URL_ = "https://example.com/x";

/** The name of what it throws, or what it gives. */
function outcome(url: unknown, options?: unknown): string {
  try {
    checkWish(url, options);
    return "taken";
  } catch (error) {
    return (error as Error).name;
  }
}

describe("the URL", () => {
  test("is absolute, https and without a fragment", () => {
    const bad = [null, "", "no-scheme", "http://example.com/", "wss://example.com/", "https:///", "https://example.com/#", "https://example.com/#a", "https://a:99999/"];
    expect(bad.map((url) => outcome(url))).toEqual(bad.map(() => "SyntaxError"));
    expect(() => checkWish("http://a/", {})).toThrow(DOMException);
    expect(outcome(Symbol("x"))).toBe("TypeError");
    expect(checkWish(new URL("https://EXAMPLE.com:443/ä?ö#".slice(0, -1)), undefined).url).toBe("https://example.com/%C3%A4?%C3%B6");
  });
});

describe("options", () => {
  test("by default ask for nothing", () => {
    expect(checkWish(URL_, null)).toEqual({
      url: URL_,
      pooled: false,
      headers: undefined,
      protocols: [],
      datagramsReadableType: undefined,
      congestionControl: "default",
      anticipated: { bidirectional: null, unidirectional: null },
      connection: {},
      unbelievable: false,
    });
  });

  test("protocols are those that a field can offer, each once", () => {
    for (const bad of [[""], ["ä"], ["a", "a"], ["a".repeat(513)], ["\r"], ["a\nb"], ["\0"], ["\x7f"]]) {
      expect(outcome(URL_, { protocols: bad })).toBe("SyntaxError");
    }
    expect(checkWish(URL_, { protocols: new Set(["b", 'a "\\']) }).protocols).toEqual(["b", 'a "\\']);
    expect(outcome(URL_, { protocols: "ab" })).toBe("TypeError");
  });

  test("headers have no names of the browser's own but origin, nor that of the protocols", () => {
    const { headers } = checkWish(URL_, { headers: [["X-A", "1"], ["x-a", "2"], ["Cookie", "c"], ["sec-x", "3"], ["proxy-y", "4"], ["Origin", "https://o"]] });
    expect([...headers!]).toEqual([["origin", "https://o"], ["x-a", "1, 2"]]);
    expect(outcome(URL_, { headers: { "WT-Available-Protocols": "x" } })).toBe("TypeError");
    expect(outcome(URL_, { headers: [["one"]] })).toBe("TypeError");
  });

  test("hashes are SHA-256; others match nothing", () => {
    const value = new Uint8Array(40).fill(7);
    const hash = { algorithm: "SHA-256", value: value.subarray(0, 32) };
    const taken = checkWish(URL_, { serverCertificateHashes: [hash, { algorithm: "sha-512", value }, { algorithm: "sha-256", value }] });
    expect([taken.unbelievable, taken.connection]).toEqual([false, { serverCertificateHashes: [new Uint8Array(32).fill(7)] }]);
    value.fill(8); // what was given is the program's again
    expect(taken.connection.serverCertificateHashes).toEqual([new Uint8Array(32).fill(7)]);
    expect(checkWish(URL_, { serverCertificateHashes: [{ algorithm: "md5", value }] })).toMatchObject({ unbelievable: true, connection: {} });
    expect(checkWish(URL_, { serverCertificateHashes: [] }).unbelievable).toBe(false);
    for (const bad of [5, new SharedArrayBuffer(32), new Uint8Array(new SharedArrayBuffer(32))]) {
      expect(outcome(URL_, { serverCertificateHashes: [{ algorithm: "sha-256", value: bad }] })).toBe("TypeError");
    }
    for (const bad of [{ value }, { algorithm: "sha-256" }, null, "x"]) expect(outcome(URL_, { serverCertificateHashes: [bad] })).toBe("TypeError");
    expect(outcome(URL_, { allowPooling: true, serverCertificateHashes: [hash] })).toBe("NotSupportedError");
    expect(outcome(URL_, { allowPooling: true, serverCertificateHashes: [] })).toBe("taken");
  });

  test("what cannot be is a TypeError", () => {
    for (const bad of [{ congestionControl: "fast" }, { datagramsReadableType: "default" }]) expect(outcome(URL_, bad)).toBe("TypeError");
    for (const kind of ["Unidirectional", "Bidirectional"]) {
      for (const bad of [-1, 65_536, Infinity, NaN, "x"]) {
        expect(outcome(URL_, { [`anticipatedConcurrentIncoming${kind}Streams`]: bad })).toBe("TypeError");
      }
    }
    expect([outcome(URL_, 5), outcome(URL_, "x")]).toEqual(["TypeError", "TypeError"]);
  });

  test("all that a fetch may say of its connection is heard, so that a session can share one with it", () => {
    const tls = { rejectUnauthorized: false };
    const all = { tls, hosts: { a: "127.0.0.1" }, pool: { maxQueued: 3 }, connectTimeoutMs: 20, idleTimeout: 3, earlyData: true, datagrams: { incoming: 4 }, webtransport: { maxData: 65_536 }, engine: { reset_budget: 5 } };
    expect(checkWish(URL_, { ...all, allowPooling: true }).connection).toEqual(all);
  });

  test("what the connection is to be like reaches the engine; the package's own options go before", () => {
    const options = { congestionControl: "low-latency", anticipatedConcurrentIncomingUnidirectionalStreams: 3, anticipatedConcurrentIncomingBidirectionalStreams: 65_535, hosts: { a: "127.0.0.1" } };
    expect(checkWish(URL_, options)).toMatchObject({
      anticipated: { unidirectional: 3, bidirectional: 65_535 },
      connection: { engine: { congestion_control: "bbr" }, webtransport: { maxStreamsUni: 100, maxStreamsBidi: 10_000 }, hosts: { a: "127.0.0.1" } },
    });
    expect(checkWish(URL_, { ...options, engine: { congestion_control: "reno" }, webtransport: { maxStreamsUni: 7 } }).connection).toMatchObject({
      engine: { congestion_control: "reno" },
      webtransport: { maxStreamsUni: 7, maxStreamsBidi: 10_000 },
    });
  });
});
