/** WebTransport where programs that were written for browsers look for it. */
import { WebTransportDatagramDuplexStream } from "../../webtransport/datagrams/duplex.ts";
import { WebTransportDatagramsWritable } from "../../webtransport/datagrams/writable.ts";
import { WebTransportBidirectionalStream } from "../../webtransport/streams/bidirectional_stream.ts";
import { WebTransportReceiveStream } from "../../webtransport/streams/receive_stream.ts";
import { WebTransportSendGroup } from "../../webtransport/streams/send_group.ts";
import { WebTransportSendStream } from "../../webtransport/streams/send_stream.ts";
import { WebTransportError } from "../../webtransport/streams/webtransport_error.ts";
import { WebTransportWriter } from "../../webtransport/streams/writer.ts";
import { WebTransport } from "./web_transport.ts";

const INTERFACES = {
  WebTransport,
  WebTransportBidirectionalStream,
  WebTransportDatagramDuplexStream,
  WebTransportDatagramsWritable,
  WebTransportError,
  WebTransportReceiveStream,
  WebTransportSendGroup,
  WebTransportSendStream,
  WebTransportWriter,
};

/**
 * Puts WebTransport and the interfaces that belong to it onto the global object, for programs and libraries that were written for browsers.
 * What had their names before is replaced.
 * @param on another object than the global one
 */
export function installWebTransport(on: object = globalThis): void {
  for (const [name, value] of Object.entries(INTERFACES)) Object.defineProperty(on, name, { value, writable: true, configurable: true });
}
