/** Servers of other make, for clients of ours: programs that print "ready PORT" and serve until they are ended. */
import { join } from "node:path";
import { certificate } from "./certificate.ts";

const root = join(import.meta.dir, "../..");

/** Stand for the files of its certificate. */
const [CERT, KEY] = ["CERT", "KEY"];

/** How each is started. */
const PROGRAMS = {
  /** webtransport-go, drafts from 13 on: tests/peers/plainwt. */
  "webtransport-go": [join(root, "build/tests/plainwt"), "-cert", CERT, "-key", KEY],
  /** aioquic, draft 02: tests/aioquic/session_server.py. */
  aioquic: [join(root, "build/venv/bin/python"), join(root, "tests/aioquic/session_server.py"), CERT, KEY],
  /** The same with HTTP/3 only. */
  "aioquic without sessions": [join(root, "build/venv/bin/python"), join(root, "tests/aioquic/session_server.py"), CERT, KEY, "plain"],
} as const;

/** One of them. */
export class PeerServer {
  private constructor(
    readonly url: string,
    /** The authority to believe: its certificate is its own. */
    readonly ca: Bun.BunFile,
    readonly process: Bun.Subprocess<"ignore", "pipe", "inherit">,
  ) {}

  /** @param files of its certificate; by default one of its own */
  static async start(name: keyof typeof PROGRAMS, { certPath, keyPath } = certificate("peer")): Promise<PeerServer> {
    const process = Bun.spawn(PROGRAMS[name].map((part) => (part === CERT ? certPath : part === KEY ? keyPath : part)), { stdin: "ignore", stdout: "pipe", stderr: "inherit" });
    const reader = process.stdout.getReader() as ReadableStreamDefaultReader<Uint8Array>;
    let said = "";
    while (!said.includes("\n")) {
      const { value, done } = await reader.read();
      if (done) throw new Error(`${name} has ended: ${said}`);
      said += new TextDecoder().decode(value);
    }
    const port = Number(/^ready (\d+)$/m.exec(said)?.[1]);
    return new PeerServer(`https://127.0.0.1:${port}`, Bun.file(certPath), process);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.process.kill("SIGKILL");
    await this.process.exited;
  }
}
