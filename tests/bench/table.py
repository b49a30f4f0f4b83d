"""From measurements to medians, ratios to plain Go, goals and a table."""

from statistics import median

BASES = ("plain", "plainwt")  # a scenario has one of them

# title, metric, divisor, digits
EACH = [
    ("p50 us", "p50_us", 1, 0), ("p99 us", "p99_us", 1, 0),
    ("CPU us/req", "server_cpu_us_per_request", 1, 2), ("client us/req", "client_cpu_us_per_request", 1, 2),
    ("dgrams/req", "datagrams_per_request", 1, 2), ("sent", "datagrams_sent_per_request", 1, 2), ("received", "datagrams_received_per_request", 1, 2),
    ("peak MB", "server_peak_bytes", 1e6, 1),
]
GET = [("req/s", "requests_per_second", 1, 0), *EACH]
TRANSFER = [("MB/s", "megabytes_per_second", 1, 0), *EACH]
WAITED = [
    ("connected MB", "connected_bytes", 1e6, 1), ("waiting MB", "waiting_bytes", 1e6, 1), ("released MB", "released_bytes", 1e6, 1),
    ("growth MB", "growth_bytes", 1e6, 2), ("KB/request", "growth_bytes_per_request", 1e3, 2),
]
SESSIONS = [("growth MB", "growth_bytes", 1e6, 1), ("KB/session", "growth_bytes_per_session", 1e3, 2), ("s to open", "open_seconds", 1, 2)]
BURST = [("sent", "sent", 1, 0), ("received", "received", 1, 0), ("dropped, queue full", "datagrams_dropped_queue_full", 1, 0),
         ("dropped in quic-go", "datagrams_dropped_internal", 1, 0), ("packets dropped", "packets_dropped", 1, 0), ("unaccounted", "unaccounted", 1, 0)]
IDLE = [("CPU ms, 5 s after", "cpu_ms_soon", 1, 3), ("40 s after", "cpu_ms", 1, 3)]
CALLS = [
    ("any call ns", "call_ns", 1, 1), ("empty poll ns", "empty_poll_ns", 1, 1), ("drained event ns", "drained_event_ns", 1, 1), ("reply ns", "reply_ns", 1, 1),
    ("events a batch", "batch_events", 1, 0),
]

RATIOS = [
    ("rate", ("requests_per_second", "megabytes_per_second")), ("p50", ("p50_us",)), ("p99", ("p99_us",)), ("CPU", ("server_cpu_us_per_request",)),
    ("peak", ("server_peak_bytes",)), ("growth", ("growth_bytes",)),
]

# scenario, server, metric, "ratio" to plain Go, its "value" or the name of another server that it is compared with, and the bound: "<="
# or ">=".
GOALS = [
    ("get-4x16", "zigh3", "requests_per_second", "ratio", ">=", 1.0),
    ("get-4x16", "zigh3", "server_cpu_us_per_request", "ratio", "<=", 1.0),
    ("get-64x1", "zigh3", "requests_per_second", "ratio", ">=", 1.1),
    ("get-1x1", "zigh3", "p50_us", "ratio", "<=", 1.15),
    ("get-1x1", "zigh3", "datagrams_per_request", "value", "<=", 2.2),
    ("get-4x16", "engine", "server_cpu_us_per_request", "ratio", "<=", 0.7),
    ("get-4x16", "engine", "requests_per_second", "ratio", ">=", 1.2),
    ("download-16M", "zigh3", "megabytes_per_second", "ratio", ">=", 0.95),
    ("upload-16M", "zigh3", "megabytes_per_second", "ratio", ">=", 0.95),
    ("wait-1000", "engine", "growth_bytes", "ratio", "<=", 0.5),
    ("idle", "zigh3", "cpu_ms", "value", "<=", 2.0),  # in 10 s: one of Bun's own looks at its heap, which may fall into them
    ("get-http3-4x16", "zigh3wt", "server_cpu_us_per_request", "ratio", "<=", 1.3),
    ("wt-datagram-64", "zigh3wt", "requests_per_second", "ratio", ">=", 0.6),
    ("wt-datagram-64", "zigh3wt", "requests_per_second", "npmwt", ">=", 5.0),
    ("wt-datagram-1000", "zigh3wt", "requests_per_second", "ratio", ">=", 0.6),
    ("wt-datagram-1000", "zigh3wt", "requests_per_second", "npmwt", ">=", 5.0),
    ("wt-datagram-1x1", "zigh3wt", "p50_us", "ratio", "<=", 1.5),
    ("wt-stream", "zigh3wt", "megabytes_per_second", "ratio", ">=", 0.7),
    ("wt-session", "zigh3wt", "requests_per_second", "ratio", ">=", 0.8),
    ("wt-connect", "zigh3wt", "requests_per_second", "ratio", ">=", 0.8),
    ("wt-idle-5000", "zigh3wt", "growth_bytes", "ratio", "<=", 1.2),
    ("burst", "zigh3wt", "unaccounted", "value", "<=", 0),
    ("calls", "bun", "empty_poll_ns", "value", "<=", 20.0),
    ("calls", "bun", "drained_event_ns", "value", "<=", 200.0),
    ("calls", "bun", "reply_ns", "value", "<=", 100.0),
    ("calls", "c", "empty_poll_ns", "value", "<=", 10.0),
    ("calls", "c", "reply_ns", "value", "<=", 50.0),
]


def summarize(rounds):
    """Of {server: [measurement, ...]}: the medians over the rounds, and the median of each round's ratio to plain Go in that same
    round, which holds where the machine's speed drifts."""
    out = {}
    base_rounds = next((rounds[name] for name in BASES if name in rounds), [])
    for server, measured in rounds.items():
        numbers = [k for k, v in measured[0].items() if isinstance(v, (int, float))]
        ratios = {k: ratio(measured, base_rounds, k) for k in numbers}
        out[server] = {
            "rounds": measured, "median": {k: median(m[k] for m in measured) for k in numbers},
            "ratio": {k: r for k, r in ratios.items() if r is not None},
        }
    return out


def ratio(measured, base, metric):
    """The median of each round's ratio. None: there is none."""
    pairs = [(m[metric], b[metric]) for m, b in zip(measured, base) if b.get(metric)]
    return median(a / b for a, b in pairs) if pairs else None


def figure(servers, server, metric, kind):
    """What a goal is about, of the servers of its scenario. None: it was not measured."""
    measured = servers.get(server)
    if measured is None:
        return None
    if kind in ("ratio", "value"):
        return measured["median" if kind == "value" else "ratio"].get(metric)
    return ratio(measured["rounds"], servers[kind]["rounds"], metric) if kind in servers else None


def goals(scenarios):
    """How far each goal is reached that this run can speak of."""
    out = []
    for scenario, server, metric, kind, relation, bound in GOALS:
        value = figure(scenarios.get(scenario, {}), server, metric, kind)
        if value is not None:
            reached = value <= bound if relation == "<=" else value >= bound
            out.append({"scenario": scenario, "server": server, "metric": metric, "of": kind, "goal": f"{relation} {bound}", "value": value, "reached": reached})
    return out


def lines(summary, columns):
    """The table of one scenario."""
    present = [c for c in columns if any(c[1] in s["median"] for s in summary.values())]
    ratios = [(title, [m for m in metrics if any(m in s["ratio"] for s in summary.values())][:1]) for title, metrics in RATIOS]
    ratios = [(title, metrics[0]) for title, metrics in ratios if metrics]
    rows = [["", *(c[0] for c in present), *(f"{title} x" for title, _ in ratios)]]
    for server, s in summary.items():
        row = [server]
        for _, metric, divisor, digits in present:
            row.append(f"{s['median'][metric] / divisor:,.{digits}f}" if metric in s["median"] else "")
        for _, metric in ratios:
            row.append(f"{s['ratio'][metric]:.2f}" if metric in s["ratio"] else "")
        rows.append(row)
    return grid(rows)


def goal_lines(reached):
    rows = [["scenario", "server", "figure", "goal", "now", ""]]
    for g in reached:
        of = {"ratio": " / plain Go's", "value": ""}.get(g["of"], f" / {g['of']}'s")
        rows.append([g["scenario"], g["server"], g["metric"] + of, g["goal"], f"{g['value']:.2f}", "reached" if g["reached"] else "missed"])
    return grid(rows, left=3)


def grid(rows, left=1):
    widths = [max(len(r[i]) for r in rows) for i in range(len(rows[0]))]
    return ["  ".join(cell.ljust(w) if i < left else cell.rjust(w) for i, (cell, w) in enumerate(zip(r, widths))).rstrip() for r in rows]
