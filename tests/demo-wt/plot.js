// Measures round trips in a session and draws them: a datagram every 50 ms, a stream of its own every 150 ms.
const SPAN = 15_000; // of the plot, in ms
const series = {
  datagram: { title: "datagrams", color: "#2a6fdb", points: [] },
  stream: { title: "bidirectional streams", color: "#e0803a", points: [] },
};
const say = (text) => (document.getElementById("state").textContent = text);
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const note = (name, sent) => series[name].points.push({ at: performance.now(), ms: performance.now() - sent });

async function datagrams(session) {
  const out = new Map();
  const reader = session.datagrams.readable.getReader();
  const writer = (session.datagrams.createWritable?.() ?? session.datagrams.writable).getWriter();
  const receive = async () => {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const number = new DataView(value.buffer, value.byteOffset).getUint32(0);
      if (out.has(number)) note("datagram", out.get(number));
      out.delete(number);
    }
  };
  receive().catch(() => {});
  for (let number = 0; ; number++) {
    const datagram = new Uint8Array(64);
    new DataView(datagram.buffer).setUint32(0, number);
    out.set(number, performance.now());
    await writer.write(datagram);
    out.delete(number - 1000); // lost long ago
    await sleep(50);
  }
}

async function streams(session) {
  for (;;) {
    const sent = performance.now();
    const { readable, writable } = await session.createBidirectionalStream();
    const writer = writable.getWriter();
    writer.write(new Uint8Array(64));
    writer.close();
    const back = await new Response(readable).arrayBuffer();
    if (back.byteLength === 64) note("stream", sent);
    await sleep(150);
  }
}

function draw() {
  const canvas = document.getElementById("plot");
  const g = canvas.getContext("2d");
  const now = performance.now();
  const [left, bottom, top] = [60, canvas.height - 26, 12];
  for (const one of Object.values(series)) one.points = one.points.filter(({ at }) => now - at < SPAN);
  // Of what is rare and far above the rest only the edge of the plot tells.
  const all = Object.values(series).flatMap(({ points }) => points.map(({ ms }) => ms)).sort((a, b) => a - b);
  const most = Math.max(1, (all[Math.floor(all.length * 0.95)] ?? 0) * 1.3);
  const scale = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000].find((n) => n >= most) ?? most;
  const x = (at) => canvas.width - 10 - ((now - at) / SPAN) * (canvas.width - left - 10);
  const y = (ms) => bottom - (Math.min(ms, scale) / scale) * (bottom - top);
  g.clearRect(0, 0, canvas.width, canvas.height);
  g.font = "12px system-ui, 'DejaVu Sans', sans-serif";
  g.textBaseline = "middle";
  for (let i = 0; i <= 4; i++) {
    const ms = (scale * i) / 4;
    g.strokeStyle = "#eee";
    g.beginPath();
    g.moveTo(left, y(ms));
    g.lineTo(canvas.width - 10, y(ms));
    g.stroke();
    g.fillStyle = "#888";
    g.textAlign = "right";
    g.fillText(`${+ms.toFixed(2)} ms`, left - 6, y(ms));
  }
  g.textAlign = "center";
  for (let s = 0; s <= SPAN / 1000; s += 5) g.fillText(s === 0 ? "now" : `-${s} s`, Math.min(x(now - s * 1000), canvas.width - 18), bottom + 14);
  for (const [name, { title, color, points }] of Object.entries(series)) {
    g.fillStyle = color;
    for (const { at, ms } of points) {
      g.beginPath();
      g.arc(x(at), y(ms), 2.2, 0, 2 * Math.PI);
      g.fill();
    }
    const sorted = points.map(({ ms }) => ms).sort((a, b) => a - b);
    const median = sorted.length === 0 ? "" : `: ${sorted.length} in 15 s, median ${sorted[sorted.length >> 1].toFixed(2)} ms`;
    document.getElementById(name).textContent = title + median;
  }
  requestAnimationFrame(draw);
}

try {
  const { url, hash } = await (await fetch("/session")).json();
  const session = new WebTransport(url, { serverCertificateHashes: [{ algorithm: "sha-256", value: new Uint8Array(hash) }] });
  await session.ready;
  say(`session with ${url}, certificate by its hash`);
  session.closed.then(
    ({ closeCode, reason }) => say(`the session was closed: ${closeCode} ${reason}`),
    (error) => say(`the session was lost: ${error.message}`),
  );
  draw();
  datagrams(session).catch(() => {});
  streams(session).catch(() => {});
} catch (error) {
  say(`no session: ${error.message}`);
}
