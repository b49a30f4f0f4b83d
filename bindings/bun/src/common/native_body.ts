/** The native readers of bodies, whatever a handler puts over them: the library is given the memory of what they give. */

const { bytes, blob, clone } = Response.prototype as Omit<Response, "bytes" | "clone"> & { bytes(): Promise<Uint8Array>; clone(): Response };
const { bytes: bytesOfBlobs } = Blob.prototype;

/** All bytes of a response's body, which is used then. */
export function bytesOfBody(response: Response): Promise<Uint8Array> {
  return bytes.call(response);
}

/** A response's body as a Blob; it is used then. */
export function blobOfBody(response: Response): Promise<Blob> {
  return blob.call(response);
}

/** The bytes of a Blob. */
export function bytesOfBlob(blob: Blob): Promise<Uint8Array> {
  return bytesOfBlobs.call(blob);
}

/** The same response again, with a body of its own. */
export function copyOf(response: Response): Response {
  return clone.call(response);
}
