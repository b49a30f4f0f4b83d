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
  /** The same, and as it was in 2025, for sessions alone: tests/peers/sessions. */
  "webtransport-go 0.13": [join(root, "build/tests/sessions"), CERT, KEY],
  "webtransport-go 0.13, draft 14": [join(root, "build/tests/sessions"), "-draft", "14", CERT, KEY],
  "webtransport-go 0.9": [join(root, "build/tests/sessions-0.9"), CERT, KEY],
  /** Drafts 13 and 14: tests/pywebtransport. */
  pywebtransport: [join(root, "build/venv/bin/python"), join(root, "tests/pywebtransport/server.py"), CERT, KEY],
  /** Rust's, drafts 02 to 07: tests/rust/peers, which the suite "rust:peers" builds. */
  wtransport: [join(root, "build/rust/debug/wtransport-server"), CERT, KEY],
  "web-transport-quinn": [join(root, "build/rust/debug/web-transport-quinn-server"), CERT, KEY],
  /** With h3-quinn and h3-webtransport. */
  h3: [join(root, "build/rust/debug/h3-server"), CERT, KEY],
} as const;

export type PeerName = keyof typeof PROGRAMS;

/** One of them. */
export class PeerServer {
  #said = "";
  #port = NaN;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;

  private constructor(
    private readonly name: string,
    /** The authority to believe: its certificate is its own. */
    readonly ca: Bun.BunFile,
    readonly process: Bun.Subprocess<"ignore", "pipe", "inherit">,
  ) {
    this.#reader = process.stdout.getReader() as ReadableStreamDefaultReader<Uint8Array>;
  }

  get url(): string {
    return `https://127.0.0.1:${this.#port}`;
  }

  /** The next line that it prints. */
  async line(): Promise<string> {
    for (;;) {
      const end = this.#said.indexOf("\n");
      if (end >= 0) {
        const line = this.#said.slice(0, end);
        this.#said = this.#said.slice(end + 1);
        return line;
      }
      const { value, done } = await this.#reader.read();
      if (done) throw new Error(`${this.name} has ended: ${this.#said}`);
      this.#said += new TextDecoder().decode(value);
    }
  }

  /** @param files of its certificate; by default one of its own */
  static async start(name: PeerName, { certPath, keyPath } = certificate("peer")): Promise<PeerServer> {
    const process = Bun.spawn(PROGRAMS[name].map((part) => (part === CERT ? certPath : part === KEY ? keyPath : part)), { stdin: "ignore", stdout: "pipe", stderr: "inherit" });
    const server = new PeerServer(name, Bun.file(certPath), process);
    server.#port = Number(/^ready (\d+)$/.exec(await server.line())?.[1]);
    return server;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.process.kill("SIGKILL");
    await this.process.exited;
  }
}
