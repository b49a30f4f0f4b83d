/** W22: WebTransport of a client in Bun, and of one in C, at servers of other make in Rust. */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { WebTransportError } from "../../../bindings/bun/src/index.ts";
import { DraftSession } from "../../bun/draft02.ts";
import { PeerServer } from "../../bun/peer_server.ts";
import { both, bytes, gram, one, open, text } from "../../bun/peer_session.ts";
import { failure, Suite } from "../../bun/suite.ts";

const suite = new Suite();

/** A session's code on the wire (draft-ietf-webtrans-http3, 4.4), as a server sees it that does not map codes itself. */
const wire = (code: number): number => 0x52e4a40fa8db + code + Math.floor(code / 0x1e);

interface Peer {
  /** What its SETTINGS say of WebTransport: the dialects that it speaks. */
  settings: Record<string, number | undefined>;
  /** What a request of ours has for it: the field of draft 02, or none. */
  asked: string;
  /** How it prints a code. */
  code: (code: number) => number;
  /** What it prints of the client's end of a session. */
  closed: string;
  /** What its own end is to the client. */
  close: unknown;
}

const [ENABLE_02, MAX_02, MAX_07, MAX_14, ENABLED_15] = [0x2b603742, 0x2b603743, 0xc671706a, 0x14e9cd29, 0x2c7cf000];

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

for (const name of ["wtransport", "web-transport-quinn", "h3"] as const) {
  const peer = PEERS[name];
  describe(name, () => {
    test("W22 the dialects that it announces, and the one that it is asked in", async () => {
      await using server = await PeerServer.start(name);
      const connection = await suite.connect({ port: Number(new URL(server.url).port) }, { webtransport: true });
      await DraftSession.open(connection, "/echo");
      let { settings } = await connection.stats();
      while (settings === null) ({ settings } = await connection.stats()); // on a stream of their own, behind its answer or not
      const named = [ENABLE_02, MAX_02, MAX_07, MAX_14, ENABLED_15].filter((id) => String(id) in settings);
      expect(Object.fromEntries(named.map((id) => [id, settings[id]]))).toEqual(peer.settings as Record<string, number>);
      const session = open(server, "/asked");
      await session.ready;
      expect(await server.line()).toBe(`asked ${peer.asked}`);
      session.close();
    });

    test("W22 streams both ways and one way, datagrams, the client's close()", async () => {
      await using server = await PeerServer.start(name);
      const session = open(server, "/echo");
      await session.ready;
      expect([await both(session, "there and back"), await one(session, "one way"), await gram(session)]).toEqual(["there and back", "one way", "gram"]);
      const long = "0123456789abcdef".repeat(1 << 14);
      expect((await both(session, long)) === long).toBe(true);
      session.close({ closeCode: 3, reason: "done" });
      expect(await session.closed).toEqual({ closeCode: 3, reason: "done" });
      expect(await server.line()).toBe(peer.closed);
    });

    test("W22 a stream that the client resets, and one that it stops", async () => {
      await using server = await PeerServer.start(name);
      const session = open(server, "/echo");
      await session.ready;
      const reset = await session.createBidirectionalStream();
      const [writer, reader] = [reset.writable.getWriter(), reset.readable.getReader()];
      await writer.write(bytes("x"));
      expect(text((await reader.read()).value)).toBe("x");
      void writer.abort(new WebTransportError("", { streamErrorCode: 1000 })).catch(() => {});
      expect(await server.line()).toBe(`reset ${peer.code(1000)}`);
      const error = (await failure(reader.read())) as WebTransportError;
      expect([error.source, error.streamErrorCode]).toEqual(["stream", 1000]);

      const stopped = await session.createBidirectionalStream();
      const more = stopped.writable.getWriter();
      void stopped.readable.cancel(new WebTransportError("", { streamErrorCode: 29 }));
      const again = setInterval(() => void more.write(bytes("x")).catch(() => {}), 20); // it hears of that as it writes
      expect(await server.line()).toBe(`stopped ${peer.code(29)}`);
      clearInterval(again);
      session.close();
    });

    test("W22 a stream that the server resets, and stops", async () => {
      await using server = await PeerServer.start(name);
      const session = open(server, "/codes");
      await session.ready;
      const { value } = await session.incomingBidirectionalStreams.getReader().read();
      const [reader, writer] = [value!.readable.getReader(), value!.writable.getWriter()];
      expect(text((await reader.read()).value)).toBe("codes");
      await writer.write(bytes("x"));
      const errors = (await Promise.all([failure(reader.closed), failure(writer.closed)])) as WebTransportError[];
      expect(errors.map(({ source, streamErrorCode }) => [source, streamErrorCode])).toEqual([["stream", 5], ["stream", 6]]);
      session.close();
    });

    test("W22 the server's close", async () => {
      await using server = await PeerServer.start(name);
      const session = open(server, "/close");
      await session.ready;
      const { writable } = await session.createBidirectionalStream();
      void writable.getWriter().write(bytes("x")).catch(() => {});
      const closed = await session.closed.catch((error: WebTransportError) => [error.message, (error.cause as { code: string }).code]);
      expect(closed).toEqual(peer.close as typeof closed);
    });

    test("W22 a session that is refused", async () => {
      await using server = await PeerServer.start(name);
      const error = (await failure(open(server, "/refuse").ready)) as WebTransportError;
      expect(error.cause).toMatchObject({ code: "ZIG_H3_ERR_REJECTED", status: 403 });
    });

    test("W22 a certificate that nobody has vouched for", async () => {
      await using server = await PeerServer.start(name);
      const error = (await failure(open(server, "/echo", { tls: {} }).ready)) as WebTransportError;
      expect((error.cause as { code: string }).code).toBe("ZIG_H3_ERR_UNKNOWN_AUTHORITY");
    });

    test("W22 a client in C", async () => {
      await using server = await PeerServer.start(name);
      const program = join(import.meta.dir, "../../../build/tests/peers-client");
      const client = Bun.spawn([program, new URL(server.url).port, server.ca.name!, ...(name === "h3" ? ["fetch"] : [])]);
      expect([(await new Response(client.stdout).text()).split("\n").at(-2), await client.exited]).toEqual([expect.stringMatching(/^\d+ passed, 0 failed$/), 0]);
    });
  });
}
