/** W22: WebTransport of a client in Bun, and of one in C, at servers of other make in Rust. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { ENABLE_02, MAX_02, MAX_07, sessionsAt, wire, type Peer } from "../../bun/peer_cases.ts";
import { PeerServer } from "../../bun/peer_server.ts";
import { Suite } from "../../bun/suite.ts";

const suite = new Suite();

const PEERS: Record<"wtransport" | "web-transport-quinn" | "h3", Peer> = {
  wtransport: {
    settings: { [ENABLE_02]: 1, [MAX_07]: 1 },
    asked: "-",
    code: wire,
    closed: "closed 3 done",
    // Its close() is that of the connection, without a capsule: the code is none of a session's.
    close: ["The session was lost by the peer: enough", "ZIG_H3_ERR_CLOSED"],
  },
  "web-transport-quinn": {
    settings: { [ENABLE_02]: 1, [MAX_02]: 1, [MAX_07]: 1 },
    asked: "-",
    code: (code) => code,
    closed: "closed 3 done",
    close: { closeCode: 7, reason: "enough" },
  },
  h3: {
    settings: { [ENABLE_02]: 1, [MAX_02]: 1 },
    asked: "1",
    code: wire,
    // It does not read the CONNECT stream; what it sees is the end of the connection, which had no other session.
    closed: "ended H3_NO_ERROR",
    // It has no close(): letting go of a session ends its connection.
    close: ["The session was lost by the peer: Connection was closed by the server", "ZIG_H3_ERR_CLOSED"],
  },
};

for (const [name, peer] of Object.entries(PEERS) as [keyof typeof PEERS, Peer][]) {
  sessionsAt(suite, name, peer);

  test(`W22 a client in C at ${name}`, async () => {
    await using server = await PeerServer.start(name);
    const program = join(import.meta.dir, "../../../build/tests/peers-client");
    const client = Bun.spawn([program, new URL(server.url).port, server.ca.name!, ...(name === "h3" ? ["fetch"] : [])]);
    expect([(await new Response(client.stdout).text()).split("\n").at(-2), await client.exited]).toEqual([expect.stringMatching(/^\d+ passed, 0 failed$/), 0]);
  });
}
