/** What getStats() of a session gives. */

/**
 * Counters of a session's connection. Times are in milliseconds.
 * @see https://www.w3.org/TR/webtransport/#web-transport-connection-stats
 */
export interface WebTransportConnectionStats {
  /** Of whole packets, as the next three: QUIC's framing is among them. */
  bytesSent?: number;
  /** Of those packets that the peer has acknowledged; not in a build with quic-go's own congestion control. */
  bytesAcknowledged?: number;
  bytesReceived?: number;
  bytesLost?: number;
  packetsSent?: number;
  packetsReceived?: number;
  packetsLost?: number;
  smoothedRtt?: number;
  rttVariation?: number;
  minRtt?: number;
  datagrams: WebTransportDatagramStats;
  /** Bits per second that the connection's path is thought to carry; null: not known, yet or in a build with quic-go's own congestion control. */
  estimatedSendRate: number | null;
  /** Whether the path, and not what there is to send, limits the connection: then the estimate is the path's. */
  atSendCapacity: boolean;
}

/**
 * Datagrams that did not get there.
 * @see https://www.w3.org/TR/webtransport/#web-transport-datagram-stats
 */
export interface WebTransportDatagramStats {
  /** Dropped for want of room on this side, unread. */
  droppedIncoming: number;
  /** Not read within `incomingMaxAge`. */
  expiredIncoming: number;
  /** Not sent within `outgoingMaxAge`. */
  expiredOutgoing: number;
}

/** The standard's names for the library's counters, and what a unit of theirs is. */
const MEMBERS = [
  ["bytesSent", "bytes_out", 1],
  ["bytesAcknowledged", "bytes_acknowledged", 1],
  ["bytesReceived", "bytes_in", 1],
  ["bytesLost", "bytes_lost", 1],
  ["packetsSent", "packets_out", 1],
  ["packetsReceived", "packets_in", 1],
  ["packetsLost", "packets_lost", 1],
  ["smoothedRtt", "smoothed_rtt_us", 1e-3],
  ["rttVariation", "rtt_variation_us", 1e-3],
  ["minRtt", "min_rtt_us", 1e-3],
] as const;

/** Those of its members that say nothing of what else goes over a connection. */
const OF_THE_PATH: ReadonlySet<string> = new Set(["smoothedRtt", "rttVariation", "minRtt"]);

/**
 * Puts a session's statistics together: the library's counters, and what the queues on this side have lost.
 * @param pooled what is counted of the connection is that of others, too, and is left out
 */
export function connectionStats(counters: Record<string, number>, lost: WebTransportDatagramStats, pooled: boolean): WebTransportConnectionStats {
  const stats: WebTransportConnectionStats = {
    datagrams: { ...lost, droppedIncoming: lost.droppedIncoming + (counters.datagrams_dropped_in ?? 0) },
    estimatedSendRate: counters.send_rate ? counters.send_rate * 8 : null,
    atSendCapacity: !!counters.send_rate && counters.at_send_capacity === 1,
  };
  for (const [member, name, unit] of MEMBERS) {
    const value = counters[name];
    if (pooled && !OF_THE_PATH.has(member)) continue;
    if (value !== undefined) stats[member] = value * unit;
  }
  return stats;
}
