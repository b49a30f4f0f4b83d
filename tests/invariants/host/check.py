"""What the library must not do to a Bun process: programs run under the pinned Bun and under 1.3.14, the oldest that is supported."""

from driver.process import ROOT, Server, run as command

LIBRARY = ROOT / "build/lib/libzigquicheh3.so"
BUNS = {
    "the pinned Bun": ROOT / "bindings/bun/node_modules/.bin/bun",
    "Bun 1.3.14": ROOT / "build/bun-1.3/node_modules/.bin/bun",
}
HERE = ROOT / "tests/invariants/host"
COLLECTOR_ROUNDS = 300  # a few seconds
WORKER_REQUESTS = 2000


def quiet(log, count, arguments, want, what, limit):
    """A program ends with exit code 0 within the limit, and all it writes is this one line."""
    code, output = command(log, arguments, limit)
    count.check(log, code == 0, f"{what}: exit code {code}")
    count.check(log, output == want + "\n", f"{what}: writes {want!r} and nothing else")


def run(log, count, client):
    """client: the compiled tests/peers/client."""
    for name, bun in BUNS.items():
        collector = [bun, HERE / "collector.ts", LIBRARY, COLLECTOR_ROUNDS]
        quiet(log, count, collector, f"alive {COLLECTOR_ROUNDS}", f"{name} collects garbage beside the library", 120)
        for how in ("twice", "workers", "exit", "fall-off-the-end"):
            quiet(log, count, [bun, HERE / "load.ts", LIBRARY, how], "ok", f"{name}, A10, {how}", 30)
        code, output = command(log, [bun, ROOT / "tests/bun/programs/ended-worker.ts", "exit"], 30)
        count.check(log, code == 0 and output.splitlines()[1:] == ["the port is free"], f"{name}: a Worker serves by the package, and ends")
        with Server(log, [bun, HERE / "worker.ts", LIBRARY, WORKER_REQUESTS], 120) as worker:
            port, digest = worker.ready()
            url = f"https://127.0.0.1:{port}"
            code, _ = command(log, [client, "-url", url, "-n", WORKER_REQUESTS, "-hash", digest], 120)
            count.check(log, code == 0, f"{name}: a Worker that blocks in queue_wait answers everything")
            code, output = worker.ended()
            count.check(log, code == 0 and output.splitlines()[1:] == ["untouched"], f"{name}: no signal stack was touched")
