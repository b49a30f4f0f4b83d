/** The option `compress`: a request's body that is in memory, made smaller. As in Bun's fetch. */
import { promisify } from "node:util";
import zlib from "node:zlib";
import { brief } from "../../common/failure.ts";

/** Codings that a body can be given. */
export type CompressionCoding = "gzip" | "deflate" | "br" | "zstd";

/** What the option `compress` takes: true is gzip. */
export type CompressOption = boolean | CompressionCoding | { encoding: CompressionCoding; level?: number };

/** What is to be done with a body. */
export interface Compression {
  readonly coding: CompressionCoding;
  run(bytes: Uint8Array): Promise<Uint8Array>;
}

const { constants } = zlib;
const gzip = promisify<zlib.InputType, zlib.ZlibOptions, Buffer>(zlib.gzip);
const deflate = promisify<zlib.InputType, zlib.ZlibOptions, Buffer>(zlib.deflate);
const brotli = promisify<zlib.InputType, zlib.BrotliOptions, Buffer>(zlib.brotliCompress);
const zstd = promisify<zlib.InputType, zlib.ZstdOptions, Buffer>(zlib.zstdCompress);

/** How each is made, and which levels it has. */
const CODINGS: Record<CompressionCoding, { least: number; most: number; run(bytes: Uint8Array, level: number | undefined): Promise<Buffer> }> = {
  gzip: { least: 0, most: 9, run: (bytes, level) => gzip(bytes, level === undefined ? {} : { level }) },
  deflate: { least: 0, most: 9, run: (bytes, level) => deflate(bytes, level === undefined ? {} : { level }) },
  // The library's own default is made for files that are compressed once and sent for years.
  br: { least: 0, most: 11, run: (bytes, level = 4) => brotli(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: level } }) },
  zstd: { least: 1, most: 22, run: (bytes, level = 3) => zstd(bytes, { params: { [constants.ZSTD_c_compressionLevel]: level } }) },
};

/**
 * Checks the option.
 * @throws TypeError or RangeError that names it
 */
export function checkCompress(value: unknown): Compression | undefined {
  if (value === undefined || value === null || value === false) return undefined;
  if (value === true) return compression("gzip", undefined);
  if (typeof value !== "object") return compression(value, undefined);
  const { encoding, level } = value as { encoding?: unknown; level?: unknown };
  return compression(encoding, level);
}

function compression(coding: unknown, level: unknown): Compression {
  if (typeof coding !== "string" || !Object.hasOwn(CODINGS, coding)) {
    throw new TypeError(`compress must be true, false, ${Object.keys(CODINGS).map((name) => `"${name}"`).join(", ")}, or an object with one as encoding, not ${brief(coding)}`);
  }
  const { least, most, run } = CODINGS[coding as CompressionCoding];
  if (level !== undefined && (typeof level !== "number" || !Number.isInteger(level))) throw new TypeError(`compress.level must be a whole number, not ${brief(level)}`);
  if (level !== undefined && (level < least || level > most)) throw new RangeError(`compress.level of ${coding} must be ${least} to ${most}, not ${level}`);
  return { coding: coding as CompressionCoding, run: (bytes) => run(bytes, level) };
}
