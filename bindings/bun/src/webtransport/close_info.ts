/** How a session ended. */

/**
 * The code and reason of a session's end.
 * @see https://www.w3.org/TR/webtransport/#dictdef-webtransportcloseinfo
 */
export interface WebTransportCloseInfo {
  /** The application's code, 32 bits. Default 0. */
  closeCode?: number;
  /** Why, in words. What is longer than 1024 bytes of UTF-8 is cut for the peer. Default `""`. */
  reason?: string;
}

/** Bytes that a reason may have on the wire (draft-ietf-webtrans-http3, 5). */
const LONGEST = 1024;

const encoder = new TextEncoder();

/** What most sessions end with. */
const NO_REASON = new Uint8Array(0);

/**
 * Takes a close info as Web IDL would: defaults filled in, the code modulo 2^32, no lone surrogates.
 * @throws TypeError when it is no object
 */
export function checkCloseInfo(info: unknown): Required<WebTransportCloseInfo> {
  if (info === undefined || info === null) return { closeCode: 0, reason: "" };
  if (typeof info !== "object" && typeof info !== "function") throw new TypeError("close() takes an object of closeCode and reason");
  const { closeCode = 0, reason = "" } = info as WebTransportCloseInfo;
  return { closeCode: Number(closeCode) >>> 0, reason: String(reason).toWellFormed() };
}

/** A reason as the peer gets it: UTF-8, cut between two characters where it is too long. */
export function encodeReason(reason: string): Uint8Array {
  if (reason === "") return NO_REASON;
  const bytes = encoder.encode(reason);
  if (bytes.length <= LONGEST) return bytes;
  let end = LONGEST;
  while ((bytes[end]! & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end);
}
