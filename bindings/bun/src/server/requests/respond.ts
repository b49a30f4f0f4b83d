/**
 * Which way a Response goes by what its body is made of. One whose bytes are at hand goes out in one call; the others are read as the
 * network takes them.
 */
import { blobOfBody, bytesOfBlob, bytesOfBody } from "../../common/native_body.ts";
import { peek } from "../../common/peek.ts";
import { BODY, bodyKind } from "../../http/body_kind.ts";
import { isFile } from "../../http/file_slice.ts";
import { LARGEST_WHOLE, sharedBlob } from "../../http/outgoing_bytes.ts";
import { letGo } from "../../http/outgoing_stream.ts";
import { trailersOf } from "../../http/trailers.ts";
import type { Call } from "./call.ts";
import { respondWithFile } from "./file.ts";
import { inPieces, respondWith, stream } from "./send.ts";

/** Sends a response, whatever its body is made of. */
export function respond(call: Call, response: Response): void {
  try {
    if (call.exchange?.gone) {
      discard(response);
      return call.tooLate();
    }
    switch (bodyKind(response)) {
      case BODY.BYTES:
        return whole(call, response, peek(bytesOfBody(response)));
      case BODY.NONE:
        return whole(call, response, null);
      case BODY.BLOB:
        return blob(call, response, peek(blobOfBody(response)));
      default:
        return stream(call, response, response.body!, -1);
    }
  } catch (error) {
    call.fail(error); // a body that was used, or an exotic one
  }
}

function whole(call: Call, response: Response, bytes: Uint8Array | Promise<Uint8Array> | null): void {
  if (bytes instanceof Promise) {
    call.park();
    bytes.then((bytes) => respondWith(call, response, bytes)).catch((error) => call.fail(error));
    return;
  }
  respondWith(call, response, bytes);
}

function blob(call: Call, response: Response, body: Blob | Promise<Blob>): void {
  if (body instanceof Promise) {
    call.park();
    body.then((body) => call.exchange?.gone || blob(call, response, body)).catch((error) => call.fail(error));
  } else if (isFile(body)) {
    void respondWithFile(call, response, body);
  } else if (body.size > LARGEST_WHOLE && trailersOf(response) === undefined) {
    inPieces(call, response, sharedBlob(body));
  } else {
    whole(call, response, peek(bytesOfBlob(body)));
  }
}

/** Lets go of a response that nobody waits for. */
function discard(response: Response): void {
  if (bodyKind(response) === BODY.STREAM && !response.bodyUsed && response.body !== null) letGo(response.body);
}
