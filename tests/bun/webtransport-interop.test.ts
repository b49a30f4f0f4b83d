/** What the server for outside tools does with sessions and datagrams, path by path. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Child } from "./child.ts";
import { varint } from "./draft02.ts";
import { Suite } from "./suite.ts";

const suite = new Suite();
let child: Child;
let port: number;

beforeAll(async () => {
  child = new Child("../interop/server.ts", [], { PORT: "0" });
  port = Number(new URL((await child.line()).split(" ")[1]!).port);
});

afterAll(() => child.kill());

describe("interop server", () => {
  test("/wt/echo gives back datagrams and streams of both kinds", async () => {
    const session = await (await suite.goConnect({ port })).session("/wt/echo");
    await session.send("datagram");
    expect(await session.receive()).toEqual(["datagram"]);
    expect(await session.echoes({ count: 4, inside: 2, size: 100_000 })).toEqual({ well: 4, failures: [] });
    expect(await session.echoes({ count: 4, inside: 2, size: 100_000, uni: true })).toEqual({ well: 4, failures: [] });
  });

  test("/wt/close closes with what the query says", async () => {
    const session = await (await suite.goConnect({ port })).session("/wt/close?code=42&reason=so%20be%20it");
    expect(await session.closed()).toEqual({ remote: true, code: 42, reason: "so be it" });
  });

  test("/wt/reject rejects with what the query says", async () => {
    expect((await (await suite.goConnect({ port })).dial("/wt/reject?status=418")).status).toBe(418);
  });

  test("/wt/push opens a stream of each kind, and closes with the answer", async () => {
    const session = await (await suite.goConnect({ port })).session("/wt/push");
    expect(await (await session.accept({ uni: true })).text()).toBe("hello on a unidirectional stream");
    const both = await session.accept();
    expect(await both.text()).toBe("hello on a bidirectional stream");
    await both.write("thanks", true);
    expect(await session.closed()).toEqual({ remote: true, code: 0, reason: "thanks" });
  });

  test("/wt/protocols takes the first that is offered", async () => {
    const session = await (await suite.goConnect({ port }, { protocols: ["one", "two"] })).session("/wt/protocols");
    expect(session.dialled.protocol).toBe("one");
    expect(JSON.parse(await (await session.accept({ uni: true })).text())).toEqual({ offered: ["one", "two"], chosen: "one" });
  });

  test("/h3dgram/echo gives back the datagrams of a request", async () => {
    const connection = await suite.connect({ port }, { datagrams: true });
    const exchange = await connection.request("/h3dgram/echo", { method: "POST", end: false });
    await exchange.response("headers");
    const datagram = Buffer.concat([varint(exchange.stream / 4), Buffer.from("of a request")]);
    await connection.sendDatagrams([datagram]);
    expect(await connection.datagrams(1)).toEqual([datagram]);
    await exchange.abort();
  });

  test("raw datagrams come back", async () => {
    const connection = await suite.connect({ port }, { datagrams: true, settings: { 6: 65536 } });
    await connection.sendDatagrams(["raw"]);
    expect(await connection.datagrams(1)).toEqual([Buffer.from("raw")]);
  });
});
