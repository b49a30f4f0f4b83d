/** A client's connection, as far as handlers can see it. */
import { readFields } from "./packed.ts";
import type { Pump } from "./pump.ts";
import { QuicDatagramContext } from "./quic_datagram.ts";

/** An address as Bun's requestIP() gives it. */
export interface SocketAddress {
  address: string;
  port: number;
  family: "IPv4" | "IPv6";
}

/** A connection: known from its CONN_OPENED event to its CONN_CLOSED. */
export class Connection {
  #remote: SocketAddress | undefined;
  #text: string;
  #datagrams: QuicDatagramContext | undefined;

  /** @param text the event's packed list, which is taken apart when somebody asks */
  constructor(
    readonly handle: number,
    readonly server: number,
    text: string,
  ) {
    this.#text = text;
  }

  /** The client's address. */
  get remote(): SocketAddress {
    return (this.#remote ??= parseAddress(readFields(this.#text).find(([name]) => name === "remote")?.[1] ?? ""));
  }

  /** What handlers of its raw datagrams get. */
  datagrams(pump: Pump): QuicDatagramContext {
    return (this.#datagrams ??= new QuicDatagramContext(this.handle, this.remote, pump));
  }
}

/** Takes `address:port` or `[address]:port` apart. */
function parseAddress(text: string): SocketAddress {
  const colon = text.lastIndexOf(":");
  const host = text.slice(0, colon);
  const address = host.startsWith("[") ? host.slice(1, -1) : host;
  return { address, port: Number(text.slice(colon + 1)), family: address.includes(":") ? "IPv6" : "IPv4" };
}
