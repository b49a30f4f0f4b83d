/** A server that answers as each request says, right or wrong (tests/peers/odd). */
import { join } from "node:path";
import { certificate } from "./certificate.ts";

const program = join(import.meta.dir, "../../build/tests/odd");

/** One thing that an answer is made of: what tests/peers/odd/main.go says. */
export type Step =
  | { head: [string, string][] }
  | { data: string }
  | { zeros: number }
  | { raw: string }
  | { wait: number }
  | { gate: string }
  | { open: string }
  | { fin: true }
  | { reset: number }
  | { stop: number }
  | { close: number }
  | { goaway: number }
  | { uni: string }
  | { repeat: number; steps: Step[] };

/** The head of a plain response. */
export const OK: Step = { head: [[":status", "200"]] };

export class OddServer {
  private constructor(
    readonly origin: string,
    readonly certPath: string,
    readonly process: Bun.Subprocess<"ignore", "pipe", "inherit">,
  ) {}

  static async start(): Promise<OddServer> {
    const { certPath, keyPath } = certificate("odd");
    const process = Bun.spawn([program, "-cert", certPath, "-key", keyPath], { stdin: "ignore", stdout: "pipe", stderr: "inherit" });
    const { value } = await process.stdout.getReader().read();
    const port = Number(/^ready (\d+)\n$/.exec(new TextDecoder().decode(value))?.[1]);
    return new OddServer(`https://127.0.0.1:${port}`, certPath, process);
  }

  /** The URL that has these steps for an answer. */
  url(...steps: Step[]): string {
    return `${this.origin}/${Buffer.from(JSON.stringify(steps)).toString("base64url")}`;
  }

  async stop(): Promise<void> {
    this.process.kill("SIGKILL");
    await this.process.exited;
  }
}
