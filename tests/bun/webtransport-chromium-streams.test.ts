/** Datagrams and streams as a browser sees them: headless Chromium against our server. */
import { describe, expect, test } from "bun:test";
import { WebTransportError } from "../../bindings/bun/src/index.ts";
import * as sessions from "../interop/sessions.ts";
import { Suite, gate } from "./suite.ts";
import { sha256 } from "./client.ts";
import { pattern } from "./wtgo.ts";

const suite = new Suite();

describe("Chromium", () => {
  test("W01 a welcome datagram arrives after ready", async () => {
    const server = suite.serveSessions(async (session) => {
      await session.accept();
      for (const part of ["welcome", "to", "the", "server"]) expect(session.sendDatagram(Buffer.from(part))).toBe("queued");
    });
    const page = await suite.page(server);
    expect(await page.run(async (tools) => tools.datagrams(await tools.connect("/wt"), 4))).toEqual(["welcome", "to", "the", "server"]);
  });

  test("W06 datagrams of 1, 1,000 and the largest size, and a hundred in a burst, come back", async () => {
    const server = suite.serveSessions(sessions.echo);
    const page = await suite.page(server);
    const { sizes, burst, most } = await page.run(async (tools) => {
      const session = await tools.connect("/wt");
      const reader = session.datagrams.readable.getReader();
      const writer = session.datagrams.writable.getWriter();
      const most = session.datagrams.maxDatagramSize;
      const sizes: number[] = [];
      for (const size of [1, 1000, most]) {
        await writer.write(tools.pattern(size));
        const { value } = await reader.read();
        sizes.push((await tools.sha256(value)) === (await tools.sha256(tools.pattern(size))) ? value.length : -1);
      }
      session.datagrams.incomingHighWaterMark = 200;
      const seen = new Set<number>();
      for (let i = 0; i < 100; i++) await writer.write(new Uint8Array([i, 7]));
      while (seen.size < 100) {
        const { value } = await reader.read();
        seen.add(value[0]);
      }
      return { sizes, burst: seen.size, most };
    });
    expect([sizes, burst]).toEqual([[1, 1000, most], 100]);
  });

  test("W07 W08 streams that the page opens: both kinds, 256 KiB in chunks of 64 KiB", async () => {
    const server = suite.serveSessions(sessions.echo);
    const page = await suite.page(server);
    const hashes = await page.run(async (tools) => {
      const session = await tools.connect("/wt");
      const data = tools.pattern(256 << 10);
      const write = async (writable: any): Promise<void> => {
        const writer = writable.getWriter();
        for (let at = 0; at < data.length; at += 64 << 10) {
          await writer.ready;
          await writer.write(data.subarray(at, at + (64 << 10)));
        }
        await writer.close();
      };
      const both = await session.createBidirectionalStream();
      const [echoed] = await Promise.all([tools.bytes(both.readable), write(both.writable)]);
      const incoming = session.incomingUnidirectionalStreams.getReader();
      await write(await session.createUnidirectionalStream());
      const answered = await tools.bytes((await incoming.read()).value);
      return [await tools.sha256(echoed), await tools.sha256(answered)];
    });
    const expected = sha256(pattern(256 << 10));
    expect(hashes).toEqual([expected, expected]);
  });

  test("W09 streams that the server opens: both kinds", async () => {
    const back = gate<string>();
    const server = suite.serveSessions(async (session) => {
      await session.accept();
      const one = (await session.createUnidirectionalStream()).getWriter();
      await one.write(pattern(100_000));
      await one.close();
      const { readable, writable } = await session.createBidirectionalStream();
      const two = writable.getWriter();
      await two.write(Buffer.from("question"));
      await two.close();
      back.open(await new Response(readable).text());
    });
    const page = await suite.page(server);
    const got = await page.run(async (tools) => {
      const session = await tools.connect("/wt");
      const one = (await session.incomingUnidirectionalStreams.getReader().read()).value;
      const two = (await session.incomingBidirectionalStreams.getReader().read()).value;
      const hash = await tools.sha256(await tools.bytes(one));
      const question = await tools.text(two.readable);
      await tools.send(two.writable, "answer");
      return [hash, question];
    });
    expect(got).toEqual([sha256(pattern(100_000)), "question"]);
    expect(await back.promise).toBe("answer");
  });

  for (const code of [0, 29, 30, 255, 0xffff_ffff]) {
    test(`W10 code ${code}: the page resets and stops, the server resets and stops`, async () => {
      const seen = gate<unknown[]>();
      const server = suite.serveSessions(async (session) => {
        await session.accept();
        const streams = session.incomingBidirectionalStreams.getReader();
        const first = (await streams.read()).value!;
        const [reader, writer] = [first.readable.getReader(), first.writable.getWriter()];
        await reader.read();
        await writer.write(Buffer.from("here")); // to the page a stream that is reset before its header was read is none
        const reset = await reader.read().then(() => null, (error: unknown) => error);
        const stopped = await writer.closed.then(() => null, (error: unknown) => error);
        const second = (await streams.read()).value!;
        const other = second.readable.getReader();
        await other.read(); // the page has nothing on its way any more when it hears
        await other.cancel(new WebTransportError("no", { streamErrorCode: code }));
        await second.writable.abort(new WebTransportError("no", { streamErrorCode: code }));
        seen.open([reset, stopped].map((e) => (e instanceof WebTransportError ? [e.source, e.streamErrorCode] : e)));
      });
      const page = await suite.page(server);
      const failures = await page.run(async (tools, code) => {
        const session = await tools.connect("/wt");
        const error = new (globalThis as any).WebTransportError({ message: "no", streamErrorCode: code });
        const first = await session.createBidirectionalStream();
        const [reader, writer] = [first.readable.getReader(), first.writable.getWriter()];
        await writer.write(new Uint8Array(1));
        await reader.read();
        await writer.abort(error);
        await reader.cancel(error);
        const second = await session.createBidirectionalStream();
        const other = second.writable.getWriter();
        await other.write(new Uint8Array(1));
        const stopped = await tools.failure(other.closed);
        const reset = await tools.failure(second.readable.getReader().read());
        return [stopped, reset].map((f) => [f.name, f.source, f.streamErrorCode]);
      }, code);
      const most = Math.min(code, 255); // what Chromium lets a page send; it takes 32 bits
      expect(await seen.promise).toEqual([
        ["stream", most],
        ["stream", most],
      ]);
      expect(failures).toEqual([
        ["WebTransportError", "stream", code],
        ["WebTransportError", "stream", code],
      ]);
    });
  }

  test("W10 streams that the page resets as soon as they are open: the server hears of each, and with which code", async () => {
    const codes: (number | null)[] = [];
    const all = gate<void>();
    const server = suite.serveSessions(async (session) => {
      await session.accept();
      const ends = async (readable: ReadableStream<Uint8Array>): Promise<void> => {
        const end = await readable.getReader().read().then(() => null, (error: unknown) => error);
        codes.push(end instanceof WebTransportError && end.source === "stream" ? end.streamErrorCode : null);
        if (codes.length === 40) all.open();
      };
      void sessions.each(session.incomingBidirectionalStreams, ({ readable }) => ends(readable));
      void sessions.each(session.incomingUnidirectionalStreams, ends);
    });
    const page = await suite.page(server);
    await page.run(async (tools) => {
      const session = await tools.connect("/wt");
      for (let code = 0; code < 40; code += 2) {
        const error = (more: number): Error => new (globalThis as any).WebTransportError({ message: "no", streamErrorCode: code + more });
        await (await session.createUnidirectionalStream()).abort(error(0));
        await (await session.createBidirectionalStream()).writable.abort(error(1));
      }
    });
    await all.promise;
    expect(codes.sort((a, b) => Number(a) - Number(b))).toEqual(Array.from({ length: 40 }, (_, code) => code));
  });

  test("W16 a page that opens more streams than the server allows waits for room", async () => {
    const server = suite.serve({ webtransport: { origins: ["*"], maxStreamsBidi: 10, maxStreamsUni: 10 }, routes: { "/wt": { webtransport: sessions.echo } } });
    const page = await suite.page(server);
    const texts = await page.run(async (tools) => {
      const session = await tools.connect("/wt");
      return Promise.all(
        Array.from({ length: 50 }, async (_, i) => {
          const stream = await session.createBidirectionalStream();
          await tools.send(stream.writable, String(i));
          return tools.text(stream.readable);
        }),
      );
    });
    expect(texts).toEqual(Array.from({ length: 50 }, (_, i) => String(i)));
  });
});
