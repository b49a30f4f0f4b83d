/** W22: WebTransport of a client in Bun at servers of other make, of older and newer drafts. */
import { describe, expect, test } from "bun:test";
import type { WebTransportError } from "../../bindings/bun/src/index.ts";
import { PeerServer } from "./peer_server.ts";
import { both, bytes, gram, one, open } from "./peer_session.ts";
import { Suite, failure } from "./suite.ts";

new Suite();

for (const [name, draft] of [["webtransport-go", "13 to 16"], ["aioquic", "02"]] as const) {
  describe(`${name}, draft ${draft}`, () => {
    test("streams both ways and one way, datagrams, close()", async () => {
      await using server = await PeerServer.start(name);
      const session = open(server, "/echo");
      await session.ready;
      expect([await both(session, "there and back"), await one(session, "one way"), await gram(session)]).toEqual(["there and back", "one way", "gram"]);
      session.close({ closeCode: 3, reason: "done" });
      expect(await session.closed).toEqual({ closeCode: 3, reason: "done" });
      await session[Symbol.asyncDispose]();
    });

    test("a certificate that nobody has vouched for", async () => {
      await using server = await PeerServer.start(name);
      const error = (await failure(open(server, "/echo", { tls: {} }).ready)) as WebTransportError;
      expect([error.source, (error.cause as { code: string }).code]).toEqual(["session", "ZIG_H3_ERR_UNKNOWN_AUTHORITY"]);
    });

    test("a path without sessions", async () => {
      await using server = await PeerServer.start(name);
      const path = name === "aioquic" ? "/refuse" : "/nowhere";
      const error = (await failure(open(server, path).ready)) as WebTransportError;
      expect(error.cause).toMatchObject({ code: "ZIG_H3_ERR_REJECTED", status: name === "aioquic" ? 403 : 404 });
    });
  });
}

test("webtransport-go: sessions that may share a connection do", async () => {
  await using server = await PeerServer.start("webtransport-go");
  const sessions = [0, 1, 2].map(() => open(server, "/echo", { allowPooling: true }));
  await Promise.all(sessions.map((session) => session.ready));
  expect(await Promise.all(sessions.map((session, i) => both(session, `${i}`)))).toEqual(["0", "1", "2"]);
  for (const session of sessions) session.close();
});

test("aioquic: the server's close has its code and reason", async () => {
  await using server = await PeerServer.start("aioquic");
  const session = open(server, "/close");
  await session.ready;
  const writer = session.datagrams.createWritable().getWriter();
  const again = setInterval(() => void writer.write(bytes("x")).catch(() => {}), 20);
  try {
    expect(await session.closed).toEqual({ closeCode: 7, reason: "enough" });
  } finally {
    clearInterval(again);
  }
});

test("aioquic without sessions: the error names what its SETTINGS lack", async () => {
  await using server = await PeerServer.start("aioquic without sessions");
  const error = (await failure(open(server, "/echo").ready)) as WebTransportError;
  expect(error.message).toBe("The session could not be opened: the peer does not offer WebTransport: its SETTINGS have no SETTINGS_H3_DATAGRAM (0x33)");
  expect((error.cause as { code: string }).code).toBe("ZIG_H3_ERR_NOT_NEGOTIATED");
});
