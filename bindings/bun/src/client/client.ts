/** A client by its handle: its place in a queue, and how long it keeps the process. Fetches and sessions stand on it. */
import { setImmediate } from "../common/builtins.ts";
import type { WebTransportCongestionControl } from "../common/congestion_control.ts";
import { callLogged } from "../common/failure.ts";
import type { Log, LogRecord } from "../common/log.ts";
import { H3Error } from "../native/errors.ts";
import { ERROR } from "../native/layout.ts";
import { lastError, library } from "../native/library.ts";
import { clientStats } from "../native/stats.ts";
import type { Connection } from "../queue/connection.ts";
import type { Dispatcher, Owner } from "../queue/dispatcher.ts";
import { Pump } from "../queue/pump.ts";
import { datagramContext } from "../queue/quic_datagram.ts";
import type { SessionHost, SessionWatch } from "../webtransport/session_core.ts";
import { newClient } from "./native_client.ts";
import type { CheckedConnection, CheckedHost } from "./options.ts";
import type { ClientQuicDatagramHandler } from "./types.ts";

/**
 * One native client. Events are looked for, and the process is kept, as long as somebody waits for something of it: see hold(). So one
 * that only has connections open costs nothing, and keeps nothing, unless somebody takes raw datagrams of them.
 */
export class Client implements Owner, SessionHost {
  readonly handle: number;
  readonly pump: Pump;
  /** How many datagrams of a session may wait to be read. */
  readonly incomingDatagrams: number;
  /** What sessions' congestion control is tuned for. */
  readonly congestionControl: WebTransportCongestionControl;

  /** For each of its sessions, which was counted with opened() and hold(). */
  readonly sessionWatch: SessionWatch = {
    failed: () => {},
    ended: () => {
      this.letGo();
      this.ended();
    },
  };

  #log: Log<null>;
  #quicDatagram: ClientQuicDatagramHandler | undefined;
  /** How many wait for something. */
  #held = 0;
  /** Fetches and sessions that have not ended. */
  #open = 0;
  /** The pump looks for events. */
  #running = false;
  /** Whether nobody waits any more is about to be looked at. */
  #resting = false;
  /** Those that wait want the process to live on. */
  #ref = true;
  /** Nobody is going to ask it for more: it goes with the last that is open. */
  #retired = false;
  #freed = false;
  #closing: PromiseWithResolvers<void> | undefined;

  /**
   * @throws H3Error when the engine does not take the options, or a file of theirs
   */
  constructor(connection: CheckedConnection, host: CheckedHost) {
    this.#log = host.log;
    this.#quicDatagram = host.quicDatagram;
    this.incomingDatagrams = connection.incomingDatagrams;
    this.congestionControl = connection.congestionControl;
    this.pump = Pump.acquire(host.interval, host.capacity);
    try {
      this.handle = newClient(this.pump.queue, connection.engine);
    } catch (error) {
      this.pump.release();
      throw error;
    }
    this.dispatcher.owners.set(this.handle, this);
  }

  get dispatcher(): Dispatcher {
    return this.pump.dispatcher;
  }

  /** Takes no more: it is closed, or about to be, or its queue has failed. */
  get over(): boolean {
    return this.#freed || this.#closing !== undefined || this.dispatcher.dead;
  }

  /** How many wait for something. */
  get held(): number {
    return this.#held;
  }

  /** The counters of the library. */
  stats(): Record<string, number> {
    if (this.#freed) throw new Error("the client is closed");
    return clientStats(this.handle);
  }

  /** Somebody waits for an event: they are looked for until letGo(). */
  hold(): void {
    this.#held++;
    if (this.#running || this.#freed) return;
    this.#running = true;
    this.pump.began(this.#ref);
  }

  /** Takes a hold() back. Who waits for one thing behind the other finds the pump as it was. */
  letGo(): void {
    if (--this.#held === 0 && !this.#freed) this.#soon();
  }

  #rest = (): void => {
    this.#resting = false;
    if (this.#freed) return;
    if (this.#retired && this.#open === 0) this.free();
    else if (this.#held === 0) this.#sleep();
  };

  /** A fetch or session of it is there, until ended(). */
  opened(): void {
    this.#open++;
  }

  /** Takes an opened() back: the library has told of the end. */
  ended(): void {
    if (--this.#open === 0 && this.#retired) this.#soon();
  }

  #soon(): void {
    if (this.#resting) return;
    this.#resting = true;
    setImmediate(this.#rest);
  }

  #sleep(): void {
    if (!this.#running) return;
    this.#running = false;
    this.pump.ended(this.#ref);
  }

  /** Whether who waits for something keeps the process, as from the start. */
  setRef(ref: boolean): void {
    if (this.#ref === ref) return;
    this.#ref = ref;
    if (!this.#running) return;
    if (ref) this.pump.ref();
    else this.pump.unref();
  }

  /** Ends everything within so many ms; -1: when what runs has finished. Resolves when the library is done with it. */
  close(deadlineMs: number): Promise<void> {
    if (this.#freed) return this.#closing?.promise ?? Promise.resolve();
    const code = library().zig_h3_client_close(this.handle, deadlineMs);
    if (code === ERROR.NO_MEMORY) return Promise.reject(lastError(code)); // it goes on as it did
    if (this.#closing === undefined) {
      this.#closing = Promise.withResolvers<void>();
      this.hold();
    }
    const { promise } = this.#closing;
    // An engine that has died closes nothing, and nothing goes on. One that only has not answered yet (TIMEOUT) does it later.
    if (code < 0 && code !== ERROR.TIMEOUT) this.stopped();
    return promise;
  }

  /** Nobody is going to ask it for more: it is freed once all has ended that it was asked for. */
  retire(): void {
    if (this.over) return;
    this.#retired = true;
    if (this.#open === 0) this.#soon();
  }

  /** Gives the native client back, whatever runs. */
  free(): void {
    if (this.#freed) return;
    this.#freed = true;
    library().zig_h3_client_free(this.handle); // stale by now is fine
    this.#end();
  }

  // ------------------------------------------------------------------------------------------------------ what the queue tells

  /** Passes a message on. */
  report(record: LogRecord): void {
    this.#log.write(null, record);
  }

  /** Who takes raw datagrams waits for some as long as there is a connection that could bring them, whether somebody has the client still or not. */
  connectionOpened(): void {
    if (this.#quicDatagram === undefined) return;
    this.hold();
    this.opened();
  }

  connectionClosed(): void {
    if (this.#quicDatagram === undefined) return;
    this.letGo();
    this.ended();
  }

  /** Brings a raw datagram to its handler. */
  quicDatagram(payload: Uint8Array<ArrayBuffer>, connection: Connection): void {
    callLogged(this, "quicDatagram", () => this.#quicDatagram?.(payload, datagramContext(connection, this.pump)));
  }

  /** Ends it on the engine's side. */
  halt(): void {
    library().zig_h3_client_free(this.handle);
  }

  /** All has ended: CLIENT_CLOSED. */
  stopped(): void {
    if (this.#freed) return;
    this.#freed = true;
    this.#end();
  }

  #end(): void {
    this.dispatcher.owners.delete(this.handle);
    this.#sleep();
    this.pump.release();
    this.#closing?.resolve();
  }

  /** What a call of a client that is over fails with. */
  overError(): H3Error {
    return new H3Error(ERROR.SHUTDOWN, this.dispatcher.dead ? "the client's queue has failed, no event comes from it any more" : "the client is closed");
  }
}
