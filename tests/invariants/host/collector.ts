// After loading the library, JavaScriptCore's collector can still stop its threads: WebAssembly, code worth compiling and forced
// collections alternate with timers, on a main thread with a live server beside it. Go's start-up changes the flags of the signal
// that the collector uses; Bun up to 1.3 then hangs for ever (oven-sh/bun#31158).
//
//     bun collector.ts LIBRARY ROUNDS
//
// Prints "alive" and the number of rounds; a hang is for the caller to notice.
import { open, startServer, signalFlags, SIGPWR } from "./library.ts";

const [path, rounds] = [process.argv[2]!, Number(process.argv[3])];

// (func (export "spin") (param i32) (result i32) (local i32)
//   loop  local.get 1  i32.const 1  i32.add  local.tee 1  local.get 0  i32.lt_s  br_if 0  end  local.get 1)
const spinModule = new Uint8Array([
  0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00,
  0x01, 0x06, 0x01, 0x60, 0x01, 0x7f, 0x01, 0x7f,
  0x03, 0x02, 0x01, 0x00,
  0x07, 0x08, 0x01, 0x04, 0x73, 0x70, 0x69, 0x6e, 0x00, 0x00,
  0x0a, 0x17, 0x01, 0x15, 0x01, 0x01, 0x7f,
  0x03, 0x40, 0x20, 0x01, 0x41, 0x01, 0x6a, 0x22, 0x01, 0x20, 0x00, 0x48, 0x0d, 0x00, 0x0b, 0x20, 0x01, 0x0b,
]);

function churn(seed: number): number {
  const kept: { id: number; text: string; parts: number[] }[] = [];
  for (let i = 0; i < 50_000; i++) {
    const item = { id: i, text: `item ${seed}-${i}`, parts: [i, i + 1, i + 2] };
    if (i % 16 === 0) kept.push(item);
  }
  return kept.reduce((sum, item) => sum + item.parts[2]! + item.text.length, 0);
}

const before = signalFlags(SIGPWR);
const library = open(path);
const after = signalFlags(SIGPWR);
if (before !== after) {
  console.log(`flags of SIGPWR: 0x${before.toString(16)} before loading, 0x${after.toString(16)} after`);
  process.exit(1);
}
startServer(library);

let done = 0;
for (let round = 0; round < rounds; round++) {
  const { spin } = new WebAssembly.Instance(new WebAssembly.Module(spinModule)).exports as { spin(n: number): number };
  if (spin(200_000) !== 200_000) throw new Error("spin lost count");
  if (churn(round) <= 0) throw new Error("churn lost count");
  Bun.gc(true);
  await new Promise((resolve) => setTimeout(resolve, 5));
  done++;
}
console.log(`alive ${done}`);
process.exit(0);
