/** Certificates for the tests. */
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dir, "../..");

/** PEM files of a certificate of this name for localhost, made when it is first asked for. */
export function certificate(name: string): { certPath: string; keyPath: string } {
  const folder = join(root, "build/tests");
  mkdirSync(folder, { recursive: true });
  const certPath = join(folder, `${name}-${process.pid}.cert.pem`);
  const keyPath = join(folder, `${name}-${process.pid}.key.pem`);
  if (!existsSync(keyPath)) {
    const made = Bun.spawnSync([
      join(root, "build/venv/bin/python"),
      join(root, "tests/aioquic/certificate.py"),
      certPath,
      keyPath,
      name,
    ]);
    if (made.exitCode !== 0) throw new Error(`no certificate: ${made.stderr.toString()}`);
  }
  return { certPath, keyPath };
}
