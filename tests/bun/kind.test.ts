/** The kind of connection that a run is about: see onHttp3 of suite.ts. */
import { expect, test } from "bun:test";
import { Suite, onHttp3 } from "./suite.ts";

const suite = new Suite();

test("connections of this run are of the kind that it is about", async () => {
  const server = suite.serve({ fetch: () => new Response("hello") });
  const connection = await suite.connect(server);
  expect((await connection.fetch("/")).text).toBe("hello");
  // SETTINGS_H3_DATAGRAM, and ENABLE_WEBTRANSPORT of draft 02.
  const { settings } = await connection.stats();
  expect([settings![0x33], settings![0x2b603742]]).toEqual(onHttp3 ? [1, 1] : [undefined, undefined]);
});
