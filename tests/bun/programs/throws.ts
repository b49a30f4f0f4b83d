/**
 * Servers in which code of a user's throws wherever it can: see throwing.ts. It prints their ports; at a line of its input, which says how much
 * of each is to be waited for, what it was told since the last one, what reached the process, and how many requests are pending.
 */
import { createH3Server, type H3Server, type LogRecord, type RouteValue, type WebTransportServerSession } from "../../../bindings/bun/src/index.ts";
import { ACCEPTS, boom, guarded, HOOKS, PLACES, POLLUTIONS, REJECTS, UNWATCHED } from "../throwing.ts";

const told: string[] = [];
const uncaught: string[] = [];
process.on("unhandledRejection", (error) => void uncaught.push(`rejection: ${(error as Error).message}`));
process.on("uncaughtException", (error) => void uncaught.push(error.message));

const onLog = ({ level, tier, message }: LogRecord): void => void (level === "debug" || told.push(`${tier}: ${message}`));
const well = (): Response => new Response("well");
const base = { port: 0, hostname: "127.0.0.1", fetch: well, onLog };

const requests = createH3Server({
  ...base,
  routes: Object.fromEntries(Object.entries(PLACES).map(([path, { give }]) => [path, give as RouteValue])),
});

const hooks = createH3Server({
  ...base,
  routes: Object.fromEntries(Object.keys(HOOKS).map((path) => [path, boom])),
  error: (_, request) => HOOKS[new URL(request.url).pathname]!() as Response,
});

const logs = createH3Server({
  ...base,
  routes: Object.fromEntries(Object.keys(UNWATCHED).map((name) => [`/${name}`, boom])),
  onLog: ({ url }) => UNWATCHED[new URL(url!).pathname.slice(1)]!(),
});

const datagrams = createH3Server({
  ...base,
  routes: {
    "/datagrams": { POST: () => new Promise<Response>(() => {}), h3Datagram: (payload) => UNWATCHED[Buffer.from(payload).toString()]!() },
  },
});

const raw = createH3Server({ ...base, quicDatagram: (payload) => UNWATCHED[Buffer.from(payload).toString()]!() });

/** Ways to fail before a session is decided, and in deciding. */
const SESSIONS: Record<string, (session: WebTransportServerSession) => unknown> = {
  ...UNWATCHED,
  ...Object.fromEntries(Object.entries(ACCEPTS).map(([name, make]) => [name, (session) => session.accept(make())])),
  ...Object.fromEntries(Object.entries(REJECTS).map(([name, make]) => [name, (session) => session.reject(make())])),
  "reject/body": (session) => session.reject(new Response(new ReadableStream({ pull: boom }), { status: 403 })),
};

/** What a session that is open does with what it gets: the name is a datagram. */
async function open(session: WebTransportServerSession): Promise<void> {
  session.onDatagram = (payload) => {
    const name = Buffer.from(payload).toString();
    if (name === "well") return void session.sendDatagram(payload);
    return UNWATCHED[name]!();
  };
  await session.accept();
  for await (const { readable, writable } of session.incomingBidirectionalStreams) void stream(readable, writable).catch(() => {});
}

/** Gives a stream up in the way that its first bytes say. */
async function stream(readable: ReadableStream<Uint8Array>, writable: WritableStream<Bun.BufferSource>): Promise<void> {
  const reader = readable.getReader();
  const { value } = await reader.read();
  const writer = writable.getWriter();
  const code = guarded(new Error("a reason"), "streamErrorCode", "name", "code");
  switch (Buffer.from(value!).toString()) {
    case "well":
      await writer.write(value!);
      return writer.close();
    case "abort":
      await reader.cancel(code);
      return writer.abort(code);
    case "write":
      await writer.write(guarded({}, "buffer", "byteLength") as never);
  }
}

const sessions = createH3Server({
  ...base,
  webtransport: { origins: ["*"] },
  routes: {
    ...Object.fromEntries(Object.entries(SESSIONS).map(([name, webtransport]) => [`/${name}`, { webtransport }])),
    ...Object.fromEntries(
      Object.entries(UNWATCHED).map(([name, origins]) => [`/origins/${name}`, { webtransport: open, origins: origins as () => boolean }]),
    ),
    "/open": { webtransport: open },
  },
});

let restored = true;
const polluted = createH3Server({
  ...base,
  routes: {
    "/pollute/:name": (request) => {
      const restore = POLLUTIONS[request.params.name]!();
      restored = false;
      setTimeout(() => {
        restore();
        restored = true;
      }, 50);
      return well();
    },
    "/restored": () => new Response(restored ? "restored" : "polluted"),
    "/stream": () => new Response(new Blob(["well"]).stream()),
  },
});

const servers = { requests, hooks, logs, datagrams, raw, sessions, polluted } satisfies Record<string, H3Server>;
console.log(JSON.stringify(Object.fromEntries(Object.entries(servers).map(([name, server]) => [name, server.port]))));

for await (const line of console) {
  if (line === "end") break;
  const wanted = JSON.parse(line) as { told: number; uncaught: number; pending: number | null };
  const all = Object.values(servers);
  const pending = (): number => all.reduce((sum, { pendingRequests }) => sum + pendingRequests, 0);
  const reached = (): boolean => told.length >= wanted.told && uncaught.length >= wanted.uncaught && (wanted.pending === null || pending() === wanted.pending);
  for (let waited = 0; !reached() && waited < 3000; waited += 5) await Bun.sleep(5);
  await Bun.sleep(1); // and nothing more
  console.log(
    JSON.stringify({
      told: told.splice(0),
      uncaught: uncaught.splice(0),
      running: all.every(({ running }) => running),
      pending: pending(),
    }),
  );
}
await Promise.all(Object.values(servers).map((server) => server.close()));
process.exit(0);
