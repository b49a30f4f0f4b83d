/** A connection, as far as handlers can see it. */
import { readFields } from "../native/packed.ts";

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

  /**
   * @param owner the handle of the server that it came to
   * @param text the event's packed list, which is taken apart when somebody asks
   */
  constructor(
    readonly handle: number,
    readonly owner: number,
    text: string,
  ) {
    this.#text = text;
  }

  /** The peer's address. */
  get remote(): SocketAddress {
    return (this.#remote ??= parseAddress(readFields(this.#text).find(([name]) => name === "remote")?.[1] ?? ""));
  }
}

/** Takes `address:port` or `[address]:port` apart. */
function parseAddress(text: string): SocketAddress {
  const colon = text.lastIndexOf(":");
  const host = text.slice(0, colon);
  const address = host.startsWith("[") ? host.slice(1, -1) : host;
  return { address, port: Number(text.slice(colon + 1)), family: address.includes(":") ? "IPv6" : "IPv4" };
}
