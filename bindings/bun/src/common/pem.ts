/** Certificates and keys, in all the ways in which they may be given. */
import { readFileSync } from "node:fs";
import { brief } from "./failure.ts";

/** PEM text, a file with it, or several that are put together, as Bun.serve() takes them. */
export type Pem = string | Bun.BunFile | Bun.BufferSource | readonly (string | Bun.BunFile | Bun.BufferSource)[];

/** What the engine gets for a certificate or key: a file's name when it is one file, so that its errors name it, else the text. */
export function pem(name: string, key: "cert" | "key", value: unknown): Record<string, string> {
  if (value === undefined || value === null) throw new TypeError(`${name} is missing`);
  if (value instanceof Blob) return { [`${key}_path`]: fileName(name, value) };
  const parts = Array.isArray(value) ? (value as unknown[]) : [value];
  const all = parts.map((part) => pemText(name, part)).join("\n");
  if (all.trim() === "") throw new TypeError(`${name} must not be empty`);
  return { [key]: all };
}

function fileName(name: string, value: Blob): string {
  const file = (value as Bun.BunFile).name;
  if (!file) throw new TypeError(`${name} must be a string, a Buffer or a Bun.file(), not a Blob without a file`);
  return file;
}

function pemText(name: string, value: unknown): string {
  if (typeof value === "string") return value;
  if (value instanceof Blob) return readPem(name, fileName(name, value));
  if (ArrayBuffer.isView(value)) return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("utf8");
  if (value instanceof ArrayBuffer || value instanceof SharedArrayBuffer) return Buffer.from(value).toString("utf8");
  throw new TypeError(`${name} must be a string, a Buffer, a Bun.file() or an array of them, not ${brief(value)}`);
}

function readPem(name: string, path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new TypeError(`${name}: cannot read ${path}: ${(error as Error).message}`, { cause: error });
  }
}
