"""Runs suites in two lanes, those that want the machine for themselves afterwards one by one, and prints what came out."""

import concurrent.futures
import os
import sys
import threading
import time
import traceback
from dataclasses import dataclass
from typing import Callable

from .count import Count
from .process import ROOT, Failure, Log, Skipped, must

LANES = 2
SETUP_LIMIT = 600


@dataclass
class Suite:
    name: str
    about: str
    run: Callable  # (log, count) -> None; adds to count, raises Failure
    alone: bool = False  # not beside others: it drives a server hard, or checks what load would disturb


class Printer:
    """One line for each suite, from whichever lane."""

    def __init__(self):
        self.lock = threading.Lock()
        self.total = Count()

    def done(self, name, count, seconds, log):
        with self.lock:
            self.total.add(count)
            skipped = f", {count.skipped} skipped" if count.skipped else ""
            word = "FAIL" if count.failed else "ok  "
            print(f"{word} {name:<14} {count.passed} passed, {count.failed} failed{skipped}   {seconds:.1f} s", flush=True)
            if count.failed:
                print(f"---- log of {name}: {log.path.relative_to(ROOT)}")
                print(log.text(), end="" if log.text().endswith("\n") else "\n")
                print(f"---- end of {name}", flush=True)

    def skipped(self, name, missing):
        with self.lock:
            print(f"skip {name:<14} {missing}", flush=True)


def run_one(suite, printer):
    log, count, begin = Log(suite.name), Count(), time.monotonic()
    try:
        suite.run(log, count)
        if count.passed + count.failed == 0:
            raise Failure("nothing ran")
    except Skipped as missing:
        log.line(f"skipped: {missing}")
        printer.skipped(suite.name, missing)
        return
    except Failure as failure:
        log.line(f"failed: {failure}")
        count.failed += 1
    except Exception:  # a fault of the driver itself must not pass for a success of the suite
        log.write(traceback.format_exc())
        count.failed += 1
    printer.done(suite.name, count, time.monotonic() - begin, log)


def prepare(log, count):
    """Installs the tools and builds the library."""
    must(log, [ROOT / "tests/setup/install"], SETUP_LIMIT)
    must(log, [ROOT / "capi/build.sh"], SETUP_LIMIT)
    count.check(log, (ROOT / "build/lib/libzigquicheh3.so").exists(), "build/lib/libzigquicheh3.so is there")
    count.check(log, (ROOT / "build/include/zig_h3.h").exists(), "build/include/zig_h3.h is there")


def run(suites):
    os.chdir(ROOT)
    printer = Printer()
    run_one(Suite("build", "", prepare), printer)
    if printer.total.failed:
        print("nothing else was run")
    else:
        with concurrent.futures.ThreadPoolExecutor(LANES) as lanes:
            for suite in suites:
                if not suite.alone:
                    lanes.submit(run_one, suite, printer)
        for suite in suites:
            if suite.alone:
                run_one(suite, printer)
    total = printer.total
    sys.stderr.flush()
    print(f"{total.passed} passed, {total.failed} failed", flush=True)
    return 1 if total.failed else 0
