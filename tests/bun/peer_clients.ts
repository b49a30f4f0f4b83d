/**
 * W22: clients of other make at a server of ours. Such a program is given a URL and a certificate to believe, and prints what it sees:
 *
 * - at /echo it sends "there and back" on a stream both ways ("both ..." is what it says of the answer), "one way" on one that goes one way
 *   ("one ..."), and datagrams until one comes back ("datagram ..."); of a stream both ways that has brought "word" back ("back word") it resets its
 *   own direction with 1000 ("reset ..." is the code that comes back), and of another one it stops the server's with 29, and writes until it hears of
 *   that ("stopped ..."); then it closes the session with 3 and "done";
 * - at /close it sends something on a stream, and waits for the server's close ("closed CODE REASON");
 * - at /refuse it is told a status ("refused STATUS").
 */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { WebTransportError, type WebTransportServerSession } from "../../bindings/bun/src/index.ts";
import { each } from "../interop/sessions.ts";
import { certificate } from "./certificate.ts";
import { until, type Suite } from "./suite.ts";

const root = join(import.meta.dir, "../..");

const PROGRAMS = {
  /** tests/peers/sessions */
  "webtransport-go 0.13": [join(root, "build/tests/sessions"), "-dial"],
  "webtransport-go 0.9": [join(root, "build/tests/sessions-0.9"), "-dial"],
  /** tests/pywebtransport */
  pywebtransport: [join(root, "build/venv/bin/python"), join(root, "tests/pywebtransport/client.py")],
} as const;

/** Gives back what comes, and the code that a stream is reset with; keeps what was told of streams. */
async function echo(session: WebTransportServerSession, told: string[]): Promise<void> {
  async function back(readable: ReadableStream<Uint8Array>, writable: WritableStream): Promise<void> {
    const [reader, writer] = [readable.getReader(), writable.getWriter()];
    let first = true; // the other direction is given up with the same code
    const tell = (what: string, error: unknown): void => {
      if (first) told.push(`${what} ${error instanceof WebTransportError ? error.streamErrorCode : error}`);
      first = false;
    };
    reader.closed.catch((error: unknown) => {
      tell("reset", error);
      void writer.abort(error).catch(() => {});
    });
    writer.closed.catch((error: unknown) => {
      tell("stopped", error);
      void reader.cancel(error).catch(() => {});
    });
    for (let read = await reader.read(); !read.done; read = await reader.read()) await writer.write(read.value);
    await writer.close();
  }
  session.onDatagram = (payload) => void session.sendDatagram(payload);
  void each(session.incomingBidirectionalStreams, ({ readable, writable }) => back(readable, writable));
  void each(session.incomingUnidirectionalStreams, async (incoming) => back(incoming, await session.createUnidirectionalStream({ waitUntilAvailable: true })));
  await session.accept();
}

/** What it prints, and what the server is told: codes of streams, and its end of the session. */
export function clientOf(suite: Suite, name: keyof typeof PROGRAMS, expected: { prints: string[]; tells: string[] }): void {
  test(`W22 ${name} as a client`, async () => {
    const { certPath, keyPath } = certificate("peer");
    const told: string[] = [];
    const server = suite.serve({
      certPath,
      keyPath,
      webtransport: { origins: ["*"] },
      routes: {
        "/echo": {
          async webtransport(session) {
            await echo(session, told);
            const { closeCode, reason } = await session.closed;
            told.push(`closed ${closeCode} ${reason}`);
          },
        },
        "/close": {
          async webtransport(session) {
            await session.accept();
            await session.incomingBidirectionalStreams.getReader().read();
            const query = new URL(session.request.url).searchParams;
            session.close({ closeCode: Number(query.get("code")), reason: query.get("reason")! });
          },
        },
        "/refuse": { webtransport: (session) => void session.reject(403) },
      },
    });
    const client = Bun.spawn([...PROGRAMS[name], `https://127.0.0.1:${server.port}`, certPath], { stdin: "ignore", stderr: "pipe" });
    const [printed, errors] = await Promise.all([new Response(client.stdout).text(), new Response(client.stderr).text()]);
    expect([printed.split("\n"), errors, await client.exited]).toEqual([[...expected.prints, ""], "", 0]);
    await until(() => told.length >= expected.tells.length);
    expect(told).toEqual(expected.tells);
  });
}
