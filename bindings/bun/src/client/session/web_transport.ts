/** The class WebTransport that browsers have: a session that this side asks a server for. */
import { H3Error } from "../../native/errors.ts";
import { ERROR } from "../../native/layout.ts";
import { lastError } from "../../native/library.ts";
import { scratch } from "../../native/memory.ts";
import { untilTaken } from "../../native/refused.ts";
import { webInterface } from "../../common/web_interface.ts";
import { WebTransportSession } from "../../webtransport/session.ts";
import { SessionCore } from "../../webtransport/session_core.ts";
import { WebTransportError } from "../../webtransport/streams/webtransport_error.ts";
import type { Client } from "../client.ts";
import { openSession } from "./native_session.ts";
import { sharedClient } from "../shared_clients.ts";
import { checkWish, type CheckedWish, type WebTransportClientOptions } from "./web_transport_options.ts";

/** The members that it has of the standard's; `onDatagram`, `sendDatagram()`, `drain()` and `await using` are additions. */
const MEMBERS = [
  "getStats",
  "exportKeyingMaterial",
  "ready",
  "reliability",
  "congestionControl",
  "anticipatedConcurrentIncomingUnidirectionalStreams",
  "anticipatedConcurrentIncomingBidirectionalStreams",
  "responseHeaders",
  "protocol",
  "closed",
  "draining",
  "close",
  "datagrams",
  "createBidirectionalStream",
  "incomingBidirectionalStreams",
  "createUnidirectionalStream",
  "incomingUnidirectionalStreams",
  "createSendGroup",
] as const;

/** A session with a server. Its members are those of WebTransportSession. */
export interface WebTransport extends WebTransportSession {}

/**
 * Opens a session with a server, as in browsers: `ready` says when it is there. Streams may be opened and datagrams written before.
 *
 *     const session = new WebTransport("https://example.com:4433/chat");
 *     await session.ready;
 *
 * An open session keeps the process, as an open WebSocket does.
 * @see https://www.w3.org/TR/webtransport/#web-transport
 */
export class WebTransport {
  /**
   * @param url an absolute URL, `https:` and without a fragment
   * @throws SyntaxError DOMException for another URL, and for protocols that cannot be offered
   * @throws NotSupportedError DOMException for serverCertificateHashes with allowPooling
   * @throws TypeError for options of another type
   * @throws H3Error when the engine does not take what is given beside the standard's options
   */
  constructor(url: string | URL, options: WebTransportClientOptions = {}) {
    if (arguments.length === 0) throw new TypeError("WebTransport needs a URL");
    // What members are made of is private to WebTransportSession: this is one, with the prototype of the web's interface.
    return Reflect.construct(WebTransportSession, [connect(checkWish(url, options))], new.target) as WebTransport;
  }

  /** Always false: sessions are on HTTP/3 only. */
  static get supportsReliableOnly(): boolean {
    return false;
  }

  static {
    const { constructor: _, ...members } = Object.getOwnPropertyDescriptors(WebTransportSession.prototype);
    Object.defineProperties(this.prototype, members);
    webInterface(this, "WebTransport", { members: MEMBERS, promises: ["ready", "closed", "draining"], length: 1 });
    Object.defineProperty(this, "supportsReliableOnly", { enumerable: true });
    // Sessions of servers pass as what they are everywhere else.
    const isInstance = Function.prototype[Symbol.hasInstance];
    Object.defineProperty(this, Symbol.hasInstance, {
      value(this: Function, value: unknown): boolean {
        return isInstance.call(this, value) || (this === WebTransport && value instanceof WebTransportSession);
      },
    });
  }
}

/** Asks for a session. */
function connect(wish: CheckedWish): SessionCore {
  const client = clientFor(wish);
  const core = new SessionCore(client);
  core.anticipated = wish.anticipated;
  core.datagramsReadableType = wish.datagramsReadableType;
  core.pooled = wish.pooled;
  if (wish.unbelievable) {
    core.neverAttached(failed(new H3Error(ERROR.PIN, "none of serverCertificateHashes is the SHA-256 of a certificate")));
    return core;
  }
  client.opened();
  client.hold();
  core.watch = client.sessionWatch;
  untilTaken(
    client.handle,
    () => openSession(client.handle, wish),
    (code) => {
      if (code === 0) core.attach(scratch().u64(0));
      else core.neverAttached(failed(code === ERROR.STALE_HANDLE ? client.overError() : lastError(code)));
    },
  );
  return core;
}

/** The client whose connections it may have. Where an engine has not the congestion control that was wished for, it has its own. */
function clientFor(wish: CheckedWish): Client {
  try {
    return sharedClient(wish.connection);
  } catch (error) {
    if (!(error instanceof H3Error) || error.errno !== ERROR.CONFIG || wish.congestionControl === "default") throw error;
    const { congestion_control: _, ...engine } = wish.connection.engine!;
    return sharedClient({ ...wish.connection, engine });
  }
}

function failed(cause: H3Error): WebTransportError {
  return Object.assign(new WebTransportError(`The session could not be opened: ${cause.message}`, { source: "session" }), { cause });
}
