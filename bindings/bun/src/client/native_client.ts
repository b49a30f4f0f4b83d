/** The call that makes a client on the C side. */
import { CLIENT_CONFIG, CLIENT_CONFIG_SIZE } from "../native/layout.ts";
import { check, library } from "../native/library.ts";
import { addressOf, scratch } from "../native/memory.ts";

/**
 * Makes a client that delivers to `queue`. Returns its handle.
 * @param options the engine's, as JSON
 * @throws H3Error that names the option or file that is wrong
 */
export function newClient(queue: number, options: string): number {
  const memory = scratch();
  const text = Buffer.from(options, "utf8");
  const config = new DataView(new ArrayBuffer(CLIENT_CONFIG_SIZE));
  config.setUint32(CLIENT_CONFIG.size, CLIENT_CONFIG_SIZE, true);
  // The address of an array: taken and used up within this function, which makes nothing that a collection could move meanwhile.
  config.setBigUint64(CLIENT_CONFIG.options, BigInt(addressOf(text)), true);
  config.setBigUint64(CLIENT_CONFIG.options_len, BigInt(text.length), true);
  check(library().zig_h3_client_new(new Uint8Array(config.buffer), queue, memory.results));
  return memory.u64(0);
}
