/**
 * Every case of fetch_cases.ts with h3Fetch at our server and with Bun's own fetch at Bun's, by HTTP/1.1 and by HTTP/3: the same outcome, but for those
 * that are named here, with what Bun does. When Bun changes it shows.
 */
import { expect, test } from "bun:test";
import { CASES, routes, type Asked, type Fetch } from "./fetch_cases.ts";
import { Suite } from "./suite.ts";

const suite = new Suite();

const [server, other] = [suite.serve({ routes }), suite.serve({ routes })];
const [reference, otherReference] = [suite.reference({ routes }), suite.reference({ routes })];
const client = suite.client(undefined, { tls: { rejectUnauthorized: false } });

let gates = 0;
const origin = ({ port }: { port?: number | undefined }): string => `https://127.0.0.1:${port}`;
const asked = (at: { port?: number | undefined }, elsewhere: { port?: number | undefined }, fetch: Fetch): Asked => ({
  fetch: (path, init) => fetch(origin(at) + path, init),
  origin: origin(at),
  other: origin(elsewhere),
  gate: () => `gate-${gates++}`,
});
const tls = { rejectUnauthorized: false };

const ours = asked(server, other, (url, init) => client.fetch(url, init as object));
const BUNS = {
  "HTTP/1.1": asked(reference, otherReference, (url, init) => fetch(url, { ...init, tls } as RequestInit)),
  "HTTP/3": asked(reference, otherReference, (url, init) => fetch(url, { ...init, tls, protocol: "http3" } as RequestInit)),
};

/** A request of mirror's that came as it was. */
const mirrored = (method: string, path: string, body: string, headers = {}): unknown => [200, false, { method, path, headers, body }];
const NOTHING = String(Bun.hash(""));

/** Where Bun's fetch does something else than the standard, which h3Fetch keeps to: why, and what, by both protocols if none is named. */
const BUN: Record<string, { why: string; does: unknown; only?: keyof typeof BUNS }> = {
  "F01 Post": { why: "it sends GET for a method in mixed case", does: mirrored("GET", "/mirror?a=1&b=%20", NOTHING) },
  "F01 a method that is forbidden": { why: "it lets TRACE through", does: "no error" },
  "F01 the fragment": { why: "response.url keeps it", does: "#part" },
  "F02 a string": { why: "it gives a string no content-type", does: mirrored("POST", "/mirror", String(Bun.hash("täxt"))) },
  "F11 twenty-one": { why: "it follows 126 redirects", does: "no error" },
  "F11 a stream that would have to be sent again": { why: "it keeps what a stream has given, and sends it again", does: "no error" },
  "F13 a body that breaks off": { why: "its HTTP/3 takes a reset for the end", does: [200, "first", "no error"], only: "HTTP/3" },
};

for (const [name, run] of Object.entries(CASES)) {
  test(`${name}, as in Bun's own fetch`, async () => {
    const mine = await run(ours);
    for (const [protocol, bun] of Object.entries(BUNS)) {
      const differs = BUN[name];
      const expected = differs !== undefined && (differs.only ?? protocol) === protocol ? differs.does : mine;
      expect([protocol, await run(bun)]).toEqual([protocol, expected]);
      if (expected !== mine) expect(expected).not.toEqual(mine);
    }
  });
}

test("every difference that is named is one of a case", () => {
  expect(Object.keys(BUN).filter((name) => !(name in CASES))).toEqual([]);
});
