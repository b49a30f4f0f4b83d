/** Paths that lose, reorder and are narrow, in real sockets: what is not lost is not answered as loss, and what is does not end a rate. */
import { describe, expect, test } from "bun:test";
import { http3 } from "./client.ts";
import { Path } from "./path.ts";
import { Suite } from "./suite.ts";

const suite = new Suite();
const RATE = 1_000_000;
const BODY = 3_000_000;
// Rates are within a third and three times of the path's: the machine may be busy. One that gave up has a tenth.

/** A download through a path of RATE bytes a second: the largest of the counters seen meanwhile, the last rate, and what the path lost. */
async function download(options: string[], control: "bbr" | "auto" | "reno", body = BODY): Promise<{ bytes: number; lost: number; spurious: number; rate: number; carrier: number }> {
  const server = suite.serve({ fetch: () => new Response(new Uint8Array(body)), engine: { congestion_control: control } });
  const { path, port } = await Path.to(server.port!, ["-rate", String(RATE), "-buffer", "100000", ...options]);
  let stopped = false;
  try {
    const seen = { bytes: 0, lost: 0, spurious: 0, rate: 0 };
    const look = (): void => {
      const { packets_lost, packets_spurious, send_rate } = server.stats();
      seen.lost = packets_lost!;
      seen.spurious = packets_spurious!;
      if (send_rate! > 0) seen.rate = send_rate!;
    };
    const timer = setInterval(look, 20);
    seen.bytes = (await (await http3(port, "/")).bytes()).length;
    clearInterval(timer);
    look();
    const { lost, overflow } = (await path.stop()).to_client;
    stopped = true;
    return { ...seen, carrier: lost + overflow };
  } finally {
    if (!stopped) await path.stop();
  }
}

describe("paths", () => {
  // 15 ms are as long as 12 packets take: who comes so late is taken for lost, until quic-go waits for longer.
  test("packets that come late are not lost, and the rate stays", async () => {
    const { bytes, lost, spurious, rate, carrier } = await download(["-delay", "20ms", "-reorder", "0.05", "-late", "15ms"], "bbr");
    expect([bytes, spurious > 0, lost - spurious <= carrier]).toEqual([BODY, true, true]);
    expect(rate).toBeWithin(RATE / 3, RATE * 3);
  });

  test("a path that loses one packet in twenty is used all the same", async () => {
    const { bytes, lost, spurious, rate, carrier } = await download(["-delay", "100ms", "-loss", "0.05"], "auto");
    // Each packet that the path lost is counted once, and none that it did not.
    expect([bytes, lost > 50, lost - spurious <= carrier]).toEqual([BODY, true, true]);
    expect(rate).toBeWithin(RATE / 3, RATE * 3);
  });

  // It takes every loss for a full path, so it has a tenth of this one: had it not been told of any, it would have it all.
  test("NewReno is told of loss", async () => {
    const { bytes, rate } = await download(["-delay", "100ms", "-loss", "0.05"], "reno", 400_000);
    expect(bytes).toBe(400_000);
    expect(rate).toBeWithin(1, RATE / 2);
  });
});
