/** What a session's congestion control is tuned for. */

/**
 * What was wished for and granted.
 * @see https://www.w3.org/TR/webtransport/#enumdef-webtransportcongestioncontrol
 */
export type WebTransportCongestionControl = "default" | "throughput" | "low-latency";

/** The standard's words for the engine's: BBR keeps queues short, NewReno fills them, and what the path decides nobody has wished for. */
const WISHES: Readonly<Record<string, WebTransportCongestionControl>> = { bbr: "low-latency", reno: "throughput" };

/** What a session reads back of the option `congestion_control`; the engine refuses what it has not. */
export function congestionControlOf(option: unknown): WebTransportCongestionControl {
  return (typeof option === "string" && Object.hasOwn(WISHES, option) ? WISHES[option] : undefined) ?? "default";
}
