/** A network path between a client and a server (tests/bench/path), in a process of its own. */
import { join } from "node:path";

const program = join(import.meta.dir, "../../build/tests/path");

/** What it did with one direction's datagrams. */
export interface Carried {
  carried: number;
  lost: number;
  overflow: number;
}

export class Path {
  #process: Bun.Subprocess<"ignore", "pipe", "inherit">;
  #output: AsyncIterator<Uint8Array>;

  private constructor(server: number, options: string[]) {
    this.#process = Bun.spawn([program, "-to", `127.0.0.1:${server}`, ...options], { stdin: "ignore", stdout: "pipe", stderr: "inherit" });
    this.#output = this.#process.stdout[Symbol.asyncIterator]();
  }

  /** Starts one to a server's port, with the program's options. Gives it and the port to go to. */
  static async to(server: number, options: string[]): Promise<{ path: Path; port: number }> {
    const path = new Path(server, options);
    const port = /^ready (\d+)$/m.exec(await path.#line());
    if (port === null) throw new Error("the path is not ready");
    return { path, port: Number(port[1]) };
  }

  /** Ends it, and tells what it carried. */
  async stop(): Promise<{ to_server: Carried; to_client: Carried }> {
    this.#process.kill("SIGTERM");
    const report = await this.#line();
    await this.#process.exited;
    return JSON.parse(report) as { to_server: Carried; to_client: Carried };
  }

  async #line(): Promise<string> {
    let text = "";
    while (!text.includes("\n")) {
      const { value, done } = await this.#output.next();
      if (done) break;
      text += Buffer.from(value).toString();
    }
    return text;
  }
}
