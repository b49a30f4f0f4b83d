/** A Worker that posts the library's version. */
import { version } from "../../../bindings/bun/src/index.ts";

declare const self: Worker;
self.postMessage(version());
