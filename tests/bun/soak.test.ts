/** A client that aborts, resets, reads slowly or not at all and vanishes: afterwards nothing of it is left. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { Child, mib } from "./child.ts";

const root = join(import.meta.dir, "../..");
/** H3_STRESS=1 makes it last. */
const seconds = process.env.H3_STRESS === "1" ? 150 : 3;

interface State {
  requests_total: number;
  sessions_total: number;
  held: object;
  descriptors: number;
}

/** All that a server holds is counted there. */
const nothing = {
  requests_active: 0,
  handshakes_pending: 0,
  sessions_active: 0,
  session_streams_active: 0,
  exchanges: 0,
  connections: 0,
  sessions: 0,
  streams: 0,
};

test(
  `Z04 ${seconds} s of misuse leave nothing behind`,
  async () => {
    const chaos = join(root, "build/tests/chaos");
    expect(Bun.spawnSync(["go", "build", "-o", chaos, "./chaos"], { cwd: join(root, "tests/peers") }).exitCode).toBe(0);
    const child = new Child("programs/soaked.ts");
    const port = await child.number();
    const misuse = async (duration: number, seed: number): Promise<State> => {
      const client = Bun.spawn([chaos, "-port", `${port}`, "-seconds", `${duration}`, "-seed", `${seed}`], { stdout: "pipe" });
      console.log(`seed ${seed}: ${(await new Response(client.stdout).text()).trim()}`);
      expect(await client.exited).toBe(0);
      child.say("rest");
      return JSON.parse(await child.line()) as State;
    };
    const before = await misuse(1, 1);
    expect(before.held).toEqual(nothing);
    const resident = child.resident();
    const after = await misuse(seconds, Date.now());
    expect(after.held).toEqual(nothing);
    expect(after.descriptors).toBe(before.descriptors);
    expect(after.requests_total).toBeGreaterThan(before.requests_total);
    expect(after.sessions_total).toBeGreaterThan(before.sessions_total);
    console.log(`the server grew by ${mib(child.resident() - resident)} over ${after.requests_total} requests and ${after.sessions_total} sessions`);
    expect(child.resident() - resident).toBeLessThan(128 << 20);
    child.say("end");
    const { code, stderr } = await child.exit();
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  },
  (seconds + 60) * 1000,
);
