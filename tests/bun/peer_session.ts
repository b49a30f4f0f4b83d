/** What a session of a client in Bun is tried with at a server of other make that gives everything back. */
import { WebTransport, type WebTransportClientOptions } from "../../bindings/bun/src/index.ts";
import type { PeerServer } from "./peer_server.ts";

export const text = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes);
export const bytes = (from: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(from);

export function open(server: PeerServer, path: string, more?: WebTransportClientOptions): WebTransport {
  return new WebTransport(server.url + path, { tls: { ca: server.ca }, ...more });
}

/** Datagrams there and back until one has come: they may be lost. */
export async function gram(session: WebTransport): Promise<string> {
  const reader = session.datagrams.readable.getReader();
  const writer = session.datagrams.createWritable().getWriter();
  const again = setInterval(() => void writer.write(bytes("gram")).catch(() => {}), 20);
  try {
    return text((await reader.read()).value);
  } finally {
    clearInterval(again);
  }
}

export async function both(session: WebTransport, what: string): Promise<string> {
  const { readable, writable } = await session.createBidirectionalStream();
  const writer = writable.getWriter();
  void writer.write(bytes(what)).catch(() => {});
  void writer.close().catch(() => {});
  return new Response(readable).text();
}

export async function one(session: WebTransport, what: string): Promise<string> {
  const writer = (await session.createUnidirectionalStream()).getWriter();
  void writer.write(bytes(what)).catch(() => {});
  void writer.close().catch(() => {});
  const { value } = await session.incomingUnidirectionalStreams.getReader().read();
  return new Response(value).text();
}
