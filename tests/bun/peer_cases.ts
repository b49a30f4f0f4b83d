/** W22: what a session of a client in Bun is tried with at a server of other make that does what tests/rust/peers/src/lib.rs says. */
import { describe, expect, test } from "bun:test";
import { WebTransportError } from "../../bindings/bun/src/index.ts";
import { DraftSession } from "./draft02.ts";
import { PeerServer, type PeerName } from "./peer_server.ts";
import { both, bytes, gram, one, open, text } from "./peer_session.ts";
import { failure, type Suite } from "./suite.ts";

/** A session's code on the wire (draft-ietf-webtrans-http3, 4.4), as a server sees it that does not map codes itself. */
export const wire = (code: number): number => 0x52e4a40fa8db + code + Math.floor(code / 0x1e);

export interface Peer {
  /** What its SETTINGS say of WebTransport: the dialects that it speaks. */
  settings: Record<string, number | undefined>;
  /** What a request of ours has for it: the field of draft 02, or none; and the token in :protocol, if its library tells. */
  asked: string;
  /** How it prints a code. */
  code: (code: number) => number;
  /** What it prints of the client's end of a session. */
  closed: string;
  /** What its own end is to the client. */
  close: unknown;
}

/** SETTINGS that name dialects, as far as servers of other make send them. */
export const [ENABLE_02, MAX_02, MAX_07, MAX_14, ENABLED_15] = [0x2b603742, 0x2b603743, 0xc671706a, 0x14e9cd29, 0x2c7cf000];

const NAMED = [ENABLE_02, MAX_02, MAX_07, MAX_14, ENABLED_15];

export function sessionsAt(suite: Suite, name: PeerName, peer: Peer): void {
  describe(name, () => {
    test("W22 the dialects that it announces, and the one that it is asked in", async () => {
      await using server = await PeerServer.start(name);
      const connection = await suite.connect({ port: Number(new URL(server.url).port) }, { webtransport: true });
      await DraftSession.open(connection, "/echo");
      let { settings } = await connection.stats();
      while (settings === null) ({ settings } = await connection.stats()); // on a stream of their own, behind its answer or not
      const named = NAMED.filter((id) => String(id) in settings);
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
      const [more, come] = [stopped.writable.getWriter(), stopped.readable.getReader()];
      await more.write(bytes("x"));
      expect(text((await come.read()).value)).toBe("x");
      void come.cancel(new WebTransportError("", { streamErrorCode: 29 }));
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
  });
}
