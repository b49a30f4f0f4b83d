/**
 * The handlers that the W3C's tests of WebTransport talk to, written anew on this server and named as there: a test that asks for
 * `/webtransport/handlers/echo.py` gets `echo.py` of this list. Each does what its namesake does; what it cannot is said beside it.
 */
import { WebTransportError, type WebTransportServerSession } from "../../bindings/bun/src/index.ts";
import { each } from "../interop/sessions.ts";

type Handle = (session: WebTransportServerSession) => Promise<void>;

/** What handlers leave for each other, by token. */
const stash = new Map<string, unknown>();

const query = (session: WebTransportServerSession): URLSearchParams => new URL(session.request.url).searchParams;
const json = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

/** The HTTP/3 code that carries an application's, and back. */
const toWire = (code: number): number => 0x52e4a40fa8db + code + Math.floor(code / 0x1e);
const fromWire = (wire: number): number => {
  const shifted = wire - 0x52e4a40fa8db;
  return shifted - Math.floor(shifted / 0x1f);
};

/** Both ways, as they come. */
async function streams(
  session: WebTransportServerSession,
  both: (readable: ReadableStream<Uint8Array>, writable: WritableStream<Uint8Array>) => Promise<unknown>,
  one: (readable: ReadableStream<Uint8Array>) => Promise<unknown>,
): Promise<void> {
  void each(session.incomingBidirectionalStreams, ({ readable, writable }) => both(readable, writable));
  void each(session.incomingUnidirectionalStreams, one);
}

async function send(writable: WritableStream<Uint8Array>, data: Uint8Array): Promise<void> {
  const writer = writable.getWriter();
  await writer.write(data);
  await writer.close();
}

/** Reads a stream to its end and tells which end it was. */
async function watch(readable: ReadableStream<Uint8Array>, ended: (info: object) => void): Promise<void> {
  try {
    for await (const _ of readable);
    ended({ source: "FIN" });
  } catch (error) {
    if (error instanceof WebTransportError && error.source === "stream") ended({ source: "reset", code: toWire(error.streamErrorCode ?? 0) });
  }
}

function put(token: string, entry: object): void {
  stash.set(token, { ...(stash.get(token) as object | undefined), ...entry });
}

async function countToken(readable: ReadableStream<Uint8Array>, answer: (count: Uint8Array) => Promise<unknown>): Promise<void> {
  for await (const token of readable) {
    const key = Buffer.from(token).toString("latin1");
    const count = Number(stash.get(key) ?? 0) + 1;
    stash.set(key, count);
    await answer(Buffer.from(String(count)));
  }
}

/** Tells at the end of each stream how many bytes have come of all, by the first byte of each. */
async function countBytes(session: WebTransportServerSession): Promise<void> {
  const counts: Record<number, number> = {};
  await session.accept();
  await each(session.incomingBidirectionalStreams, async ({ readable, writable }) => {
    let marker: number | undefined;
    for await (const chunk of readable) {
      marker ??= chunk[0]!;
      counts[marker] = (counts[marker] ?? 0) + chunk.length;
    }
    await send(writable, json(counts));
  });
}

export const handlers: Record<string, Handle> = {
  async "echo.py"(session) {
    session.onDatagram = (payload) => void session.sendDatagram(payload);
    const back = (readable: ReadableStream<Uint8Array>, writable: WritableStream<Uint8Array>): Promise<void> => readable.pipeTo(writable);
    await streams(session, back, async (readable) => back(readable, await session.createUnidirectionalStream()));
    await session.accept();
    const { readable, writable } = await session.createBidirectionalStream();
    await back(readable, writable);
  },

  async "echo_datagram_length.py"(session) {
    session.onDatagram = (payload) => void session.sendDatagram(json({ length: payload.length }));
    await session.accept();
  },

  async "echo-request-headers.py"(session) {
    await session.accept();
    const { request } = session;
    const url = new URL(request.url);
    const headers = {
      ":method": "CONNECT",
      ":scheme": "https",
      ":authority": url.host,
      ":path": url.pathname + url.search,
      ":protocol": "webtransport", // the library does not tell which of its two names the client used: Chromium's is this
      ...Object.fromEntries(request.headers),
    } as Record<string, string>;
    delete headers.host;
    // A field's lines come joined: what separates them is taken for what joined them.
    const lists = (): object => Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value.split(", ")]));
    await send(await session.createUnidirectionalStream(), json(query(session).get("format") === "list" ? lists() : headers));
  },

  async "custom-response.py"(session) {
    const fields = new Headers();
    let status = 200;
    for (const [name, value] of query(session)) {
      if (name === ":status") status = Number(value);
      else fields.append(name, value);
    }
    if (status < 300) await session.accept({ headers: fields });
    else await session.reject(new Response(null, { status, headers: fields }));
  },

  async "abort-stream-from-server.py"(session) {
    const error = new WebTransportError("", { streamErrorCode: fromWire(Number(query(session).get("code"))) });
    await session.accept();
    const stop = async (readable: ReadableStream<Uint8Array>): Promise<void> => {
      const reader = readable.getReader();
      await reader.read();
      await reader.cancel(error);
    };
    await streams(session, (readable, writable) => stop(readable).then(() => writable.abort(error)), stop);
  },

  async "client-close.py"(session) {
    const token = query(session).get("token")!;
    const info = (end: object): void => put(token, { "stream-close-info": end });
    const closed = (abruptly: boolean, closing: object | null): void =>
      put(token, { "session-close-info": { abruptly, close_info: closing } });
    await session.accept();
    session.closed.then(
      ({ closeCode, reason }) => closed(false, { code: closeCode, reason }),
      () => closed(true, null),
    );
    await streams(
      session,
      (readable) => watch(readable, info),
      (readable) => watch(readable, info),
    );
    const { readable } = await session.createBidirectionalStream();
    await watch(readable, info);
  },

  async "query.py"(session) {
    await session.accept();
    const token = query(session).get("token")!;
    const left = stash.get(token) ?? {};
    stash.delete(token);
    await send(await session.createUnidirectionalStream(), json(left));
  },

  async "server-close.py"(session) {
    const code = query(session).get("code");
    void session.accept(); // as at its namesake, the end comes with the answer
    session.close(code === null ? {} : { closeCode: Number(code), reason: query(session).get("reason") ?? "" });
  },

  async "server-read-then-close.py"(session) {
    await session.accept();
    const close = async (readable: ReadableStream<Uint8Array>): Promise<void> => {
      await readable.getReader().read();
      session.close();
    };
    await streams(session, close, close);
    await close((await session.createBidirectionalStream()).readable);
  },

  // Its namesake closes the whole connection. A handler of ours has its session only: see expectations.json.
  async "server-connection-close.py"(session) {
    await session.accept();
    await (await session.createBidirectionalStream()).readable.getReader().read();
    session.close();
  },

  async "server-create-multiple-streams.py"(session) {
    await session.accept();
    const one = query(session).get("type") === "unidi";
    for (let i = 0; i < Number(query(session).get("count") ?? 3); i++) {
      const writable = one ? await session.createUnidirectionalStream() : (await session.createBidirectionalStream()).writable;
      await send(writable, Buffer.from(`stream${i}`));
    }
  },

  async "server-drain.py"(session) {
    await session.accept();
    if (query(session).has("drain")) session.drain();
  },

  async "sendorder.py"(session) {
    const token = query(session).get("token");
    if (token === null) return countBytes(session); // as its namesake of today
    const seen: number[] = [];
    session.onDatagram = (payload) => void session.sendDatagram(payload);
    stash.set(token, seen);
    await session.accept();
    const note = async (readable: ReadableStream<Uint8Array>): Promise<void> => {
      for await (const chunk of readable) seen.push(chunk[0]!);
    };
    await streams(session, note, note);
  },

  "sendorder-scheduling.py": countBytes,

  async "stats-data-transfer.py"(session) {
    session.onDatagram = (payload) => void session.sendDatagram(payload);
    const nothing = async (readable: ReadableStream<Uint8Array>): Promise<void> => {
      for await (const _ of readable);
    };
    await streams(session, nothing, nothing);
    await session.accept();
    const { readable, writable } = await session.createBidirectionalStream();
    await send(writable, new Uint8Array(5000).fill(88));
    await nothing(readable);
  },

  async "token-count.py"(session) {
    await session.accept();
    const both = (readable: ReadableStream<Uint8Array>, writable: WritableStream<Uint8Array>): Promise<void> => {
      const writer = writable.getWriter();
      return countToken(readable, (count) => writer.write(count));
    };
    await streams(session, both, async (readable) => {
      const writer = (await session.createUnidirectionalStream()).getWriter();
      await countToken(readable, (count) => writer.write(count));
    });
    const { readable, writable } = await session.createBidirectionalStream();
    await both(readable, writable);
  },
};
