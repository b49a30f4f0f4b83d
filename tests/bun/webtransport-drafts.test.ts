/** W22: sessions with peers of other make of each draft that there is one of, in both roles. */
import { expect, test } from "bun:test";
import type { WebTransportError } from "../../bindings/bun/src/index.ts";
import { ENABLE_02, ENABLED_15, MAX_14, sessionsAt, type Peer } from "./peer_cases.ts";
import { clientOf } from "./peer_clients.ts";
import { PeerServer } from "./peer_server.ts";
import { open } from "./peer_session.ts";
import { failure, Suite } from "./suite.ts";

const suite = new Suite();

/** What webtransport-go is like in all versions. */
const go: Omit<Peer, "settings" | "asked"> = { code: (code) => code, closed: "closed 3 done", close: { closeCode: 7, reason: "enough" } };
const MANY = 2 ** 62 - 1;

sessionsAt(suite, "webtransport-go 0.9", { ...go, settings: { [ENABLE_02]: 1 }, asked: "1 webtransport" });
sessionsAt(suite, "webtransport-go 0.13, draft 14", { ...go, settings: { [MAX_14]: MANY }, asked: "- webtransport" });
sessionsAt(suite, "webtransport-go 0.13", { ...go, settings: { [ENABLE_02]: 1, [MAX_14]: MANY, [ENABLED_15]: 1 }, asked: "- webtransport-h3" });

test("W22 pywebtransport, drafts 13 and 14: the error names what its QUIC lacks", async () => {
  await using server = await PeerServer.start("pywebtransport");
  const error = (await failure(open(server, "/echo").ready)) as WebTransportError;
  expect([error.message, (error.cause as { code: string }).code]).toEqual([
    "The session could not be opened: the peer does not offer WebTransport: its transport parameters have no reset_stream_at",
    "ZIG_H3_ERR_NOT_NEGOTIATED",
  ]);
});

const ECHO = ["both there and back", "one one way", "datagram gram", "back word"];
const goes = {
  prints: [...ECHO, "reset 1000", "back word", "stopped 29", "closed 42 so be it", "refused 403"],
  tells: ["reset 1000", "stopped 29", "closed 3 done"],
};
clientOf(suite, "webtransport-go 0.9", goes);
clientOf(suite, "webtransport-go 0.13", goes);
// Its CLOSE stands on the CONNECT stream without a DATA frame around it (RFC 9297, 3.1): a frame that nobody knows, then the end, which is 0 and "".
clientOf(suite, "pywebtransport", { prints: [...ECHO, "refused 403"], tells: ["reset 1000", "closed 0 "] });
