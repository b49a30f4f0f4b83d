/**
 * Media over QUIC by @moq/lite, whose readme says that Bun and Node have no WebTransport, unchanged: its connect() finds this package's as a
 * global, its accept() takes a session of the server for one of a browser.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, spyOn, test } from "bun:test";
import { Broadcast, Connection, Path } from "@moq/lite";
import { createH3Server, installWebTransport, type H3Server } from "../../bindings/bun/src/index.ts";

setDefaultTimeout(60_000); // the machine may be busy: nothing fails for being slow

/** What the library speaks, the one that it prefers first; and the one that it settles on by a message of its own. */
const PROTOCOLS = ["moq-lite-04", "moq-lite-03", "moqt-17", "moqt-16", "moqt-15", ""];

let server: H3Server;
/** Who waits for the server's end of a connection. */
let accepted: PromiseWithResolvers<Connection.Established>;

beforeAll(() => {
  for (const log of ["debug", "log", "warn", "error"] as const) spyOn(console, log).mockImplementation(() => {}); // the library tells all it does
  installWebTransport();
  server = createH3Server({
    port: 0,
    hostname: "127.0.0.1",
    webtransport: { origins: ["*"] },
    routes: {
      "/moq": {
        async webtransport(session, request) {
          const protocol = PROTOCOLS.find((one) => session.protocols.includes(one));
          await session.accept(protocol === undefined ? {} : { protocol });
          // Its type says WebTransport of the DOM's library, which Bun's types do not have.
          accepted.resolve(await Connection.accept(session as never, new URL(request.url)));
        },
      },
    },
  });
});

afterAll(() => server.close());

/** A connection: the library's two ends of it. */
async function connected(protocol: string): Promise<[client: Connection.Established, server: Connection.Established]> {
  const webtransport = {
    serverCertificateHashes: [{ algorithm: "sha-256", value: new Uint8Array(server.certificateHash!) }],
    protocols: protocol === "" ? [] : [protocol],
  };
  accepted = Promise.withResolvers();
  const client = Connection.connect(new URL(`https://127.0.0.1:${server.port}/moq`), { webtransport, websocket: { enabled: false } });
  return Promise.all([client, accepted.promise]);
}

/** One side publishes, the other one learns of it, subscribes and reads. */
async function passes(publisher: Connection.Established, subscriber: Connection.Established, what: string): Promise<string[]> {
  const broadcast = new Broadcast();
  publisher.publish(Path.from(what), broadcast);
  const announced = subscriber.announced();
  const entry = await announced.next();
  const remote = subscriber.consume(Path.from(what));
  const track = remote.subscribe("chat", 0);
  const request = await broadcast.requested();
  const read: string[] = [];
  for (const text of ["one", "two", "x".repeat(300_000)]) {
    request!.track.writeString(text);
    read.push((await track.readString())!);
  }
  request!.track.close();
  announced.close();
  remote.close();
  broadcast.close();
  return [String(entry!.path), String(entry!.active), request!.track.name, read[0]!, read[1]!, String(read[2]!.length)];
}

for (const protocol of PROTOCOLS) {
  test(`publishes and subscribes, both ways: ${protocol || "the version is settled by a message"}`, async () => {
    const [client, there] = await connected(protocol);
    expect(await passes(client, there, "a")).toEqual(["a", "true", "chat", "one", "two", "300000"]);
    expect(await passes(there, client, "b")).toEqual(["b", "true", "chat", "one", "two", "300000"]);
    client.close();
    await there.closed;
  });
}
