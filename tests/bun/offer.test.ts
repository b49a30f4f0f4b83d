/** What the clients of a run offer: see offersDatagram of suite.ts. */
import { expect, test } from "bun:test";
import { Suite, offersDatagram } from "./suite.ts";

const suite = new Suite();

test(`the clients of this run offer ${offersDatagram ? "DATAGRAM, as" : "no DATAGRAM, and neither do"} its servers`, async () => {
  const server = suite.serve({ fetch: () => new Response("hello") });
  const connection = await suite.connect(server);
  expect((await connection.fetch("/")).text).toBe("hello");
  expect(connection.handshake.datagrams).toEqual({ offered: offersDatagram, answered: offersDatagram });
  // SETTINGS_H3_DATAGRAM, and ENABLE_WEBTRANSPORT of draft 02.
  const { settings } = await connection.stats();
  expect([settings![0x33], settings![0x2b603742]]).toEqual(offersDatagram ? [1, 1] : [undefined, undefined]);
});
