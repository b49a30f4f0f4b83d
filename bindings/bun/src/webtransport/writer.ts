/** The writer of a stream to the peer. */
import type { BufferSource } from "./buffer_source.ts";

/**
 * A writer with the two methods that WebTransport adds. Neither can be had here: the engine neither writes all or nothing against the
 * peer's window, nor keeps a part of a stream safe from its reset. Both say so.
 * @see https://www.w3.org/TR/webtransport/#web-transport-writer
 */
export class WebTransportWriter extends WritableStreamDefaultWriter<BufferSource> {
  /** Always rejects with NotSupportedError. */
  async atomicWrite(_chunk?: unknown): Promise<void> {
    throw new DOMException("atomicWrite() is not supported: nothing was written", "NotSupportedError");
  }

  /** @throws NotSupportedError DOMException, always */
  commit(): void {
    throw new DOMException("commit() is not supported: a reset may drop all that was not received", "NotSupportedError");
  }
}
