"""From measurements to medians, ratios, goals and a table."""

from statistics import median

# What a scenario's ratios are to: plain Go's HTTP/3 for requests, the small ones on connections that could have sessions included;
# webtransport-go for sessions, and for a download from a server that has some. None: there is nothing to compare with.
BASES = {
    **dict.fromkeys(["get-4x16", "get-64x1", "get-1x1", "get-http3-4x16", "download-16M", "upload-16M", "wait-1000", "idle"], "plain"),
    **dict.fromkeys(["download-32M", "wt-datagram-64", "wt-datagram-1000", "wt-datagram-1x1", "wt-stream", "wt-session", "wt-connect", "wt-idle-5000"], "plainwt"),
    "burst": None, "calls": None, "package": None,
}

# title, metric, divisor, digits
EACH = [
    ("p50 us", "p50_us", 1, 0), ("p99 us", "p99_us", 1, 0),
    ("CPU us/req", "server_cpu_us_per_request", 1, 2), ("main thread's", "server_main_thread_cpu_us_per_request", 1, 2), ("client us/req", "client_cpu_us_per_request", 1, 2),
    ("dgrams/req", "datagrams_per_request", 1, 2), ("sent", "datagrams_sent_per_request", 1, 2), ("received", "datagrams_received_per_request", 1, 2),
    ("peak MB", "server_peak_bytes", 1e6, 1), ("allocations/req", "server_allocations_per_request", 1, 1),
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
PACKAGE = [
    ("head seen before ns", "seen_ns", 1, 0), ("new path ns", "new_path_ns", 1, 0), ("static route ns", "static_ns", 1, 0), ("Response.json ns", "json_ns", 1, 0),
    ("async handler ns", "async_ns", 1, 0), ("with headers ns", "headers_ns", 1, 0),
]

RATIOS = [
    ("rate", ("requests_per_second", "megabytes_per_second")), ("p50", ("p50_us",)), ("p99", ("p99_us",)), ("CPU", ("server_cpu_us_per_request",)), ("main thread", ("server_main_thread_cpu_us_per_request",)),
    ("peak", ("server_peak_bytes",)), ("growth", ("growth_bytes",)), ("allocations", ("server_allocations_per_request",)),
]

RATE, MEGABYTES, CPU = "requests_per_second", "megabytes_per_second", "server_cpu_us_per_request"
MAIN = "server_main_thread_cpu_us_per_request"  # of a Bun server: JavaScript's thread, which with processors to spare is what ends first


def beside(scenario, metric, relation, engine, zigh3, of):
    """A goal for sessions, or where they are possible, of the engine alone and of all of it in Bun: ratios to the same servers."""
    return [(scenario, server, metric, o, relation, bound) for o in of for server, bound in (("enginewt", engine), ("zigh3wt", zigh3))]


# scenario, server, metric, the server that it is compared with or "value" for no other, and the bound: "<=" or ">=".
GOALS = [
    ("get-4x16", "zigh3", RATE, "plain", ">=", 1.0),
    ("get-4x16", "zigh3", CPU, "plain", "<=", 0.65),
    ("get-4x16", "zigh3", MAIN, "bun", "<=", 0.6),
    ("get-64x1", "zigh3", MAIN, "bun", "<=", 0.45),
    ("get-64x1", "zigh3", RATE, "plain", ">=", 1.1),
    ("get-1x1", "zigh3", "p50_us", "plain", "<=", 0.95),
    ("get-1x1", "zigh3", "datagrams_per_request", "value", "<=", 2.2),
    ("get-4x16", "engine", CPU, "plain", "<=", 0.7),
    ("get-4x16", "engine", RATE, "plain", ">=", 1.2),
    ("download-16M", "zigh3", MEGABYTES, "plain", ">=", 0.95),
    ("upload-16M", "zigh3", MEGABYTES, "plain", ">=", 0.95),
    ("wait-1000", "engine", "growth_bytes", "plain", "<=", 0.5),
    ("idle", "zigh3", "cpu_ms", "value", "<=", 2.0),  # in 10 s: one of Bun's own looks at its heap, which may fall into them
    *beside("get-http3-4x16", CPU, "<=", 0.55, 0.75, ["plain", "plainwt"]),
    *beside("get-http3-4x16", RATE, ">=", 1.5, 1.2, ["plain", "plainwt"]),
    ("download-32M", "enginewt", "server_allocations_per_request", "engine", "<=", 1.05),  # the same, but for what runs by the clock
    *beside("wt-datagram-64", CPU, "<=", 0.75, 1.0, ["plainwt"]),
    *beside("wt-datagram-64", RATE, ">=", 1.2, 1.0, ["plainwt"]),
    ("wt-datagram-64", "zigh3wt", RATE, "npmwt", ">=", 5.0),
    ("wt-datagram-1000", "zigh3wt", RATE, "plainwt", ">=", 0.6),
    ("wt-datagram-1000", "zigh3wt", RATE, "npmwt", ">=", 5.0),
    *beside("wt-datagram-1x1", "p50_us", "<=", 0.8, 1.2, ["plainwt"]),
    *beside("wt-stream", MEGABYTES, ">=", 1.0, 0.95, ["plainwt"]),
    *beside("wt-session", CPU, "<=", 0.65, 1.1, ["plainwt"]),
    *beside("wt-session", RATE, ">=", 1.1, 0.95, ["plainwt"]),
    *beside("wt-connect", RATE, ">=", 1.0, 0.95, ["plainwt"]),
    *beside("wt-idle-5000", "growth_bytes", "<=", 0.6, 0.7, ["plainwt"]),
    ("burst", "zigh3wt", "unaccounted", "value", "<=", 0),
    ("calls", "bun", "empty_poll_ns", "value", "<=", 20.0),
    ("calls", "bun", "drained_event_ns", "value", "<=", 200.0),
    ("calls", "bun", "reply_ns", "value", "<=", 100.0),
    ("calls", "c", "empty_poll_ns", "value", "<=", 10.0),
    ("calls", "c", "reply_ns", "value", "<=", 50.0),
    ("package", "bun", "seen_ns", "value", "<=", 850.0),
    ("package", "bun", "new_path_ns", "value", "<=", 1200.0),
    ("package", "bun", "static_ns", "value", "<=", 300.0),
]


def summarize(scenario, rounds):
    """Of {server: [measurement, ...]}: the medians over the rounds, and by server that it is compared with the median of each round's
    ratio to that one in the same round, which holds where the machine's speed drifts."""
    others = [o for o in compared(scenario) if o in rounds]
    out = {}
    for server, measured in rounds.items():
        numbers = [k for k, v in measured[0].items() if isinstance(v, (int, float))]
        ratios = {o: {k: ratio(measured, rounds[o], k) for k in numbers} for o in others}
        out[server] = {
            "rounds": measured, "median": {k: median(m[k] for m in measured) for k in numbers},
            "ratio": {o: {k: r for k, r in of.items() if r is not None} for o, of in ratios.items()},
        }
    return out


def compared(scenario):
    """The servers that others are compared with in a scenario, its base first."""
    goals = [of for name, _, _, of, _, _ in GOALS if name == scenario and of != "value"]
    return [o for o in dict.fromkeys([BASES[scenario], *goals]) if o]


def ratio(measured, base, metric):
    """The median of each round's ratio. None: there is none."""
    pairs = [(m[metric], b[metric]) for m, b in zip(measured, base) if b.get(metric)]
    return median(a / b for a, b in pairs) if pairs else None


def figure(summary, server, metric, of):
    """What a goal is about, in the summary of its scenario. None: it was not measured."""
    measured = summary.get(server)
    if measured is None:
        return None
    return (measured["median"] if of == "value" else measured["ratio"].get(of, {})).get(metric)


def goals(scenarios):
    """How far each goal is reached that this run can speak of."""
    out = []
    for scenario, server, metric, of, relation, bound in GOALS:
        value = figure(scenarios.get(scenario, {}), server, metric, of)
        if value is not None:
            reached = value <= bound if relation == "<=" else value >= bound
            out.append({"scenario": scenario, "server": server, "metric": metric, "of": of, "goal": f"{relation} {bound}", "value": value, "reached": reached})
    return out


def lines(scenario, summary, columns):
    """The table of one scenario: medians, ratios to its base, and the ratios to others that have a goal; goals beside their figures."""
    said = {(g["server"], g["metric"], g["of"]): f" ({verdict(g)}: {g['goal']})" for g in goals({scenario: summary})}
    present = [c for c in columns if any(c[1] in s["median"] for s in summary.values())]
    shown = {c[1] for c in present}
    ratios = []
    for of in compared(scenario):
        for title, metrics in RATIOS:
            metric = next((m for m in metrics if m in shown and any(m in s["ratio"].get(of, {}) for s in summary.values())), None)
            if metric and (of == BASES[scenario] and metric != MAIN or any(m == metric and o == of for _, m, o in said)):
                ratios.append((f"{title} / {of}", metric, of))
    rows = [["", *(c[0] for c in present), *(title for title, _, _ in ratios)]]
    for server, s in summary.items():
        row = [server]
        for _, metric, divisor, digits in present:
            cell = f"{s['median'][metric] / divisor:,.{digits}f}" if metric in s["median"] else ""
            row.append(cell + said.get((server, metric, "value"), ""))
        for _, metric, of in ratios:
            cell = f"{s['ratio'][of][metric]:.2f}" if metric in s["ratio"].get(of, {}) else ""
            row.append(cell + said.get((server, metric, of), ""))
        rows.append(row)
    return grid(rows)


def verdict(goal):
    return "reached" if goal["reached"] else "missed"


def goal_lines(reached):
    rows = [["scenario", "server", "figure", "goal", "now", ""]]
    for g in reached:
        of = "" if g["of"] == "value" else f" / {g['of']}'s"
        rows.append([g["scenario"], g["server"], g["metric"] + of, g["goal"], f"{g['value']:.2f}", verdict(g)])
    return grid(rows, left=3)


def grid(rows, left=1):
    widths = [max(len(r[i]) for r in rows) for i in range(len(rows[0]))]
    return ["  ".join(cell.ljust(w) if i < left else cell.rjust(w) for i, (cell, w) in enumerate(zip(r, widths))).rstrip() for r in rows]
