/** A connection, as far as handlers can see it. */
import { now } from "../common/builtins.ts";
import { readFields } from "../native/packed.ts";

/** An address as Bun's requestIP() gives it. */
export interface SocketAddress {
  address: string;
  port: number;
  family: "IPv4" | "IPv6";
}

/** A connection: known from its CONN_OPENED event to its CONN_CLOSED. */
export class Connection {
  /** When it was heard of, in ms on the clock of `performance.now()`. */
  readonly opened = now();
  #remote: SocketAddress | undefined;
  #text: string;

  /**
   * @param owner the handle of the server that it came to, or of the client that has made it
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
    return (this.#remote ??= this.#address("remote"));
  }

  /** This side's address. */
  get local(): SocketAddress {
    return this.#address("local");
  }

  #address(name: string): SocketAddress {
    return parseAddress(readFields(this.#text).find(([field]) => field === name)?.[1] ?? "");
  }
}

/** Takes `address:port` or `[address]:port` apart. */
function parseAddress(text: string): SocketAddress {
  const colon = text.lastIndexOf(":");
  const host = text.slice(0, colon);
  const address = host.startsWith("[") ? host.slice(1, -1) : host;
  return { address, port: Number(text.slice(colon + 1)), family: address.includes(":") ? "IPv6" : "IPv4" };
}
