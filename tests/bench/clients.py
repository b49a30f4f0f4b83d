"""Clients beside each other against one server, by turns: what tests/bench/fetches and tests/bench/sessions have in common."""

import argparse
import json
import os
import statistics
import subprocess
import sys

import servers

# title, metric, digits. Every client says as one line of JSON what it has measured, with these names.
COLUMNS = [("req/s", "requests_per_second", 0), ("MB/s", "megabytes_per_second", 0), ("CPU us/req", "client_cpu_us_per_request", 1), ("p50 us", "p50_us", 0),
           ("p99 us", "p99_us", 0), ("timer ms", "timer_worst_ms", 1)]
# What clients are compared with, round by round. What this project's in Bun has beside the engine is what C and JavaScript cost.
BASES = {"plain": [], "zigh3": ["plain", "engine"]}
RATIOS = [("rate", "requests_per_second"), ("CPU", "client_cpu_us_per_request"), ("p50", "p50_us")]


def once(command, seconds):
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60)
    if done.returncode:
        raise RuntimeError(done.stderr.strip()[-300:])
    return json.loads(done.stdout)


def line(name, rounds):
    """A client's medians, and their ratios to plain's and to the engine's, round by round."""
    cells = []
    for title, key, digits in COLUMNS:
        values = [r[key] for r in rounds[name] if r.get(key)]
        if values:
            cells.append(f"{title} {statistics.median(values):.{digits}f}")
    for base in [b for b in BASES.get(name, ["plain"]) if rounds.get(b)]:
        for title, key in RATIOS:
            cells.append(f"{title}/{base} {statistics.median(a[key] / b[key] for a, b in zip(rounds[name], rounds[base])):.2f}")
    return f"  {name:<9}" + "  ".join(cells)


def measure(doc, scenarios, clients, servers_chosen):
    """The whole program. scenarios: {name: anything}; clients: {name: f(port, what the scenario's name stands for, seconds)}, which gives a command."""
    p = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    listed = lambda s: s.split(",")  # noqa: E731
    p.add_argument("--only", type=listed, default=list(scenarios), metavar="SCENARIO,...", help=", ".join(scenarios))
    p.add_argument("--clients", type=listed, default=list(clients), metavar="CLIENT,...", help=", ".join(clients))
    p.add_argument("--servers", type=listed, default=servers_chosen, metavar="SERVER,...", help=f"of those of tests/bench/run (default {','.join(servers_chosen)})")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--seconds", type=float, default=3)
    p.add_argument("--json", metavar="FILE")
    o = p.parse_args()
    for given, known in (o.only, scenarios), (o.clients, clients), (o.servers, servers.COMMANDS):
        for name in given:
            if name not in known:
                p.error(f"{name!r} is none of {', '.join(known)}")
    servers.prepare()
    out, failed = {}, False
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors; medians of {o.rounds}")
    for of in o.servers:
        with servers.Server(of) as server:
            for scenario in o.only:
                rounds = {name: [] for name in o.clients}
                for _ in range(o.rounds):
                    for name in o.clients:
                        try:
                            rounds[name].append(once(clients[name](server.port, scenarios[scenario], o.seconds), o.seconds))
                        except (RuntimeError, subprocess.TimeoutExpired) as e:
                            failed = True
                            print(f"not measured: {name}, {scenario} of {of}: {e}", file=sys.stderr)
                out.setdefault(of, {})[scenario] = rounds
                print(f"{scenario}, server {of}")
                for name in o.clients:
                    if rounds[name]:
                        print(line(name, rounds), flush=True)
    if o.json:
        with open(o.json, "w") as f:
            json.dump(out, f, indent=1)
    return 1 if failed else 0


def main(*arguments):
    try:
        sys.exit(measure(*arguments))
    except servers.Unavailable as e:
        sys.exit(f"{os.path.basename(sys.argv[0])}: {e}")
    except KeyboardInterrupt:
        sys.exit(130)
