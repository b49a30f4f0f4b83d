/** What the server for outside tools does with WebTransport sessions. The tests serve some of these, too. */
import type { WebTransportServerSession } from "../../bindings/bun/src/index.ts";

/** Takes each stream as it comes. How one of them fails is nobody's business but the peer's, who caused it. */
export async function each<Stream>(streams: ReadableStream<Stream>, handle: (stream: Stream) => Promise<unknown>): Promise<void> {
  try {
    for await (const stream of streams) void handle(stream).catch(() => {});
  } catch {
    // The session has ended.
  }
}

/** Gives back every datagram and every stream; one that goes one way is answered on a new one. */
export async function echo(session: WebTransportServerSession): Promise<void> {
  session.onDatagram = (payload) => void session.sendDatagram(payload);
  void each(session.incomingBidirectionalStreams, ({ readable, writable }) => readable.pipeTo(writable));
  void each(session.incomingUnidirectionalStreams, async (incoming) =>
    incoming.pipeTo(await session.createUnidirectionalStream({ waitUntilAvailable: true })),
  );
  await session.accept();
}

/** Closes as soon as it is open, with the code and the reason that the query names. */
export async function close(session: WebTransportServerSession): Promise<void> {
  await session.accept();
  const query = new URL(session.request.url).searchParams;
  session.close({ closeCode: Number(query.get("code") ?? 0), reason: query.get("reason") ?? "" });
}

/** Rejects with the status that the query names. */
export async function reject(session: WebTransportServerSession): Promise<void> {
  await session.reject(Number(new URL(session.request.url).searchParams.get("status") ?? 403));
}

/** Opens a stream of each kind and says hello on both; what comes back on the second is closed with. */
export async function push(session: WebTransportServerSession): Promise<void> {
  await session.accept();
  const encoder = new TextEncoder();
  const one = (await session.createUnidirectionalStream()).getWriter();
  await one.write(encoder.encode("hello on a unidirectional stream"));
  await one.close();
  const { readable, writable } = await session.createBidirectionalStream();
  const two = writable.getWriter();
  await two.write(encoder.encode("hello on a bidirectional stream"));
  await two.close();
  const answer = await new Response(readable).text();
  session.close({ closeCode: 0, reason: answer });
}

/** Takes the first protocol that is offered, and names it on a stream. */
export async function protocols(session: WebTransportServerSession): Promise<void> {
  const protocol = session.protocols[0];
  await session.accept(protocol === undefined ? {} : { protocol });
  const writer = (await session.createUnidirectionalStream()).getWriter();
  await writer.write(new TextEncoder().encode(JSON.stringify({ offered: session.protocols, chosen: session.protocol })));
  await writer.close();
}
