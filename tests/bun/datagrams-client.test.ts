/** Raw QUIC datagrams of a client's connections: to a server of ours, and to aioquic without HTTP/3 datagrams. */
import { describe, expect, test } from "bun:test";
import type { ClientQuicDatagramHandler, H3ClientOptions, H3Server, QuicDatagramContext } from "../../bindings/bun/src/index.ts";
import { PeerServer } from "./peer_server.ts";
import { gate, Suite, until } from "./suite.ts";

const suite = new Suite();

const text = (payload: Uint8Array): string => Buffer.from(payload).toString();

/** A server that takes raw datagrams alone, and sends them back. */
function serve(): H3Server {
  return suite.serve({ fetch: () => new Response("alive"), rawDatagrams: true, quicDatagram: (payload, context) => void context.send(payload) });
}

const at = (server: H3Server): string => `https://127.0.0.1:${server.port}/`;

describe("raw QUIC datagrams of a client", () => {
  test("D01 to a server of ours and back, from the response on and from the handler; each by its connection", async () => {
    const servers = [serve(), serve()];
    const got: [string, string][] = [];
    const contexts = new Map<string, QuicDatagramContext>();
    const client = suite.client(undefined, {
      serverCertificateHashes: servers.map((server) => server.certificateHash),
      quicDatagram: (payload, context) => {
        expect(contexts.get(context.connectionIdHex) ?? context).toBe(context);
        contexts.set(context.connectionIdHex, context);
        got.push([context.connectionIdHex, text(payload)]);
        if (text(payload) === "once more") expect(context.send(Buffer.from("from the handler"))).toBe("queued");
      },
    });
    const responses = [await client.fetch(at(servers[0]!)), await client.fetch(at(servers[1]!))];
    const [one, two] = responses.map((response) => response.h3.connection!);
    expect([one!.sendQuicDatagram(Buffer.from("one")), two!.sendQuicDatagram(new Uint8Array(0)), one!.sendQuicDatagram(Buffer.from("once more"))]).toEqual(["queued", "queued", "queued"]);
    await until(() => got.length === 4);
    const by = (id: number): string[] => got.filter(([hex]) => hex === id.toString(16).padStart(16, "0")).map(([, payload]) => payload);
    expect([by(one!.id), by(two!.id)]).toEqual([["one", "once more", "from the handler"], [""]]);
    expect([...contexts.values()].map(({ remoteAddress }) => remoteAddress.port).sort()).toEqual(servers.map(({ port }) => port).sort());
    expect(one!.sendQuicDatagram(new Uint8Array(5000))).toBe("too-large");
    expect(() => one!.sendQuicDatagram("text" as never)).toThrow(TypeError);
    expect(await Promise.all(responses.map((response) => response.text()))).toEqual(["alive", "alive"]);
    await client.close();
    expect([one!.sendQuicDatagram(new Uint8Array(1)), [...contexts.values()][0]!.send(new Uint8Array(1))]).toEqual(["closed", "closed"]);
  });

  test("D02 to aioquic and back", async () => {
    await using server = await PeerServer.start("aioquic without sessions");
    const got: string[] = [];
    const client = suite.client(undefined, { tls: { ca: server.ca }, quicDatagram: (payload) => void got.push(text(payload)) });
    const { connection } = (await client.fetch(server.url)).h3;
    for (const payload of ["", "x", "x".repeat(1100)]) expect(connection!.sendQuicDatagram(Buffer.from(payload))).toBe("queued");
    await until(() => got.length === 3);
    expect(got.sort()).toEqual(["", "x", "x".repeat(1100)]);
    expect(client.stats()).toMatchObject({ datagrams_out: 3, datagrams_delivered: 3 });
  });

  test("D03 a handler that throws or rejects is told, and the next one is handled", async () => {
    const [got, log]: [string[], string[]] = [[], []];
    const server = serve();
    const client = suite.client(server, {
      quicDatagram: (payload) => {
        got.push(text(payload));
        if (got.length === 1) throw new Error("thrown");
        return got.length === 2 ? Promise.reject(new Error("rejected")) : undefined;
      },
      onLog: ({ tier, message }) => log.push(`${tier} ${message}`),
    });
    const { connection } = (await client.fetch(at(server))).h3;
    for (const payload of ["1", "2", "3"]) {
      connection!.sendQuicDatagram(Buffer.from(payload));
      await until(() => got.at(-1) === payload);
    }
    await until(() => log.length === 2);
    expect(log).toEqual(["protocol quicDatagram failed: thrown", "protocol quicDatagram failed: rejected"]);
  });

  test("D05 without a handler they are not negotiated, nor with a server that has HTTP/3's", async () => {
    const [raw, http] = [serve(), suite.serve({ routes: { "/": { h3Datagram: () => {}, GET: () => new Response("alive") } } })];
    const asked = async (server: H3Server, options: H3ClientOptions) => (await suite.client(server, options).fetch(at(server))).h3.connection!;
    expect((await asked(raw, {})).sendQuicDatagram(new Uint8Array(1))).toBe("not-negotiated");
    const connection = await asked(http, { quicDatagram: () => {} });
    await until(() => connection.sendQuicDatagram(new Uint8Array(1)) === "not-negotiated"); // once its SETTINGS are there
  });

  test("D07 rawDatagrams: HTTP/3's are not announced, so that a server that has both sends raw ones; requests have none", async () => {
    const got: string[] = [];
    const go = gate();
    const running = () => new Response((async function* () { yield "alive"; await go.promise; })() as never);
    const server = suite.serve({ fetch: running, quicDatagram: (payload, context) => void context.send(payload) });
    const client = suite.client(server, { rawDatagrams: true, quicDatagram: (payload) => void got.push(text(payload)) });
    const response = await client.fetch(at(server), { onDatagram: () => {} });
    expect(response.h3.sendDatagram(new Uint8Array(1))).toBe("not-negotiated");
    expect(response.h3.connection!.sendQuicDatagram(Buffer.from("raw"))).toBe("queued");
    await until(() => got.length === 1);
    expect(got).toEqual(["raw"]);
    go.open();
    expect(await response.text()).toBe("alive");
  });

  test("what they are given is looked at", () => {
    const refused = (options: object): string => {
      try {
        suite.client(undefined, options);
      } catch (error) {
        return (error as Error).message;
      }
      throw new Error("it was taken");
    };
    expect(refused({ quicDatagram: 1 })).toContain("quicDatagram");
    expect(refused({ rawDatagrams: 1 })).toContain("rawDatagrams");
    expect(refused({ rawDatagrams: true, webtransport: { maxData: 65536 } })).toContain("which rawDatagrams turns off");
    expect(refused({ engine: { quic_datagrams: true } })).toContain("quicDatagram");
  });

  // The handler stands for somebody who waits, as a fetch with onDatagram does.
  test("a process lives as long as one may come, and not longer", async () => {
    const server = serve();
    const program = `
      import { createH3Client } from ${JSON.stringify(new URL("../../bindings/bun/src/index.ts", import.meta.url).pathname)};
      let count = 0;
      const client = createH3Client({
        serverCertificateHashes: [process.argv[1]],
        quicDatagram: (payload, context) => {
          if (++count < 100) context.send(payload);
          else client.close();
        },
      });
      const response = await client.fetch(process.argv[2]);
      await response.text();
      response.h3.connection.sendQuicDatagram(new Uint8Array(1));
      process.on("exit", () => console.log(count));
    `;
    const process = Bun.spawn([globalThis.process.execPath, "-e", program, String(server.certificateHash), at(server)], { stdout: "pipe", stderr: "inherit" });
    expect([await process.stdout.text(), await process.exited]).toEqual(["100\n", 0]);
  });

  test("a client that nobody has any more hears of them as long as its connection is there", async () => {
    const server = serve();
    const program = `
      import { createH3Client } from ${JSON.stringify(new URL("../../bindings/bun/src/index.ts", import.meta.url).pathname)};
      let count = 0;
      const dropped = Promise.withResolvers();
      let told = "";
      async function ask() {
        const client = createH3Client({
          serverCertificateHashes: [process.argv[1]],
          pool: { idleConnectionMs: 86_400_000 },
          quicDatagram: async (payload, context) => {
            await dropped.promise;
            if (++count < 5) context.send(payload);
            else process.exit();
          },
          onLog: ({ message }) => dropped.resolve(told = message),
        });
        const response = await client.fetch(process.argv[2]);
        await response.text();
        response.h3.connection.sendQuicDatagram(new Uint8Array(1));
      }
      process.on("exit", () => console.log(told.slice(0, 20), count));
      await ask();
      for (let i = 0; told === "" && i < 5000; i++) {
        Bun.gc(true);
        await Bun.sleep(1);
      }
    `;
    const process = Bun.spawn([globalThis.process.execPath, "-e", program, String(server.certificateHash), at(server)], { stdout: "pipe", stderr: "inherit" });
    expect([await process.stdout.text(), await process.exited]).toEqual(["a client was dropped 5\n", 0]);
  });
});

// The types say so: a handler may be a function of the payload alone.
const _: ClientQuicDatagramHandler = (payload) => payload.length;
void _;
