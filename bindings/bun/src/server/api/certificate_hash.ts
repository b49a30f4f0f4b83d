/** SHA-256 of a certificate: bytes for APIs, hex for people. */

/** 32 bytes. `serverCertificateHashes: [{ algorithm: "sha-256", value: server.certificateHash }]` takes them as they are. */
export class CertificateHash extends Uint8Array<ArrayBuffer> {
  /** The hash in hex, lower-case, without separators. */
  override toString(): string {
    return Buffer.from(this.buffer, this.byteOffset, this.byteLength).toString("hex");
  }
}
