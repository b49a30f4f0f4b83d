"""Commands with a time limit, whose output goes to a suite's log."""

import os
import re
import signal
import subprocess
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


class Failure(Exception):
    """A step of a suite that went wrong, in words; the suite counts as one failed test more."""


class Skipped(Exception):
    """A suite that cannot run on this machine, and what is missing; it is named, and counts as nothing."""


class Log:
    """What a suite wrote, kept in memory to be shown if it fails and in build/test-logs to be read afterwards."""

    def __init__(self, name):
        folder = ROOT / "build" / "test-logs"
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / (name.replace(":", "-") + ".log")
        self.file = self.path.open("w", encoding="utf-8", errors="replace")
        self.parts = []
        self.lock = threading.Lock()

    def write(self, text):
        with self.lock:
            self.parts.append(text)
            self.file.write(text)
            self.file.flush()

    def line(self, text):
        self.write(text + "\n")

    def text(self):
        with self.lock:
            return "".join(self.parts)


def environment(extra=None):
    """The environment of every test: as it is, without what would change the library's or the tools' defaults."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("ZIG_H3_", "GODEBUG", "GOGC", "GOMEMLIMIT", "GOMAXPROCS"))}
    env.update(NO_COLOR="1", PYTHONDONTWRITEBYTECODE="1")
    env.update(extra or {})
    return env


def end(process):
    """Ends a process started here, with all that it started: it leads a group of its own."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def run(log, command, limit, *, cwd=ROOT, env=None, quiet=False):
    """Runs a command and returns its exit code and output. quiet keeps the output out of the log, for what is shown later."""
    command = [str(part) for part in command]
    log.line("$ " + " ".join(command))
    process = subprocess.Popen(
        command, cwd=cwd, env=environment(env), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True, encoding="utf-8", errors="replace",
    )
    try:
        output, _ = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        end(process)
        output, _ = process.communicate()
        log.write(output)
        raise Failure(f"{command[0]} did not end within {limit} seconds") from None
    finally:
        end(process)
    if not quiet:
        log.write(output)
    return process.returncode, output


def must(log, command, limit, **options):
    """Runs a command that has to succeed, and returns its output."""
    code, output = run(log, command, limit, **options)
    if code != 0:
        raise Failure(f"{command[0]} ended with exit code {code}")
    return output


class Server:
    """A program that prints a line "ready ..." once it serves, and ends by itself."""

    def __init__(self, log, command, limit, *, cwd=ROOT, env=None):
        self.log, self.command, self.limit = log, [str(part) for part in command], limit
        log.line("$ " + " ".join(self.command) + " &")
        self.begin = time.monotonic()
        self.output = []
        self.is_ready = threading.Event()
        self.words = []
        self.process = subprocess.Popen(
            self.command, cwd=cwd, env=environment(env), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, start_new_session=True, encoding="utf-8", errors="replace",
        )
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            self.log.write(line)
            self.output.append(line)
            if line.startswith("ready ") and not self.words:
                self.words = line.split()[1:]
                self.is_ready.set()
        self.is_ready.set()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end(self.process)
        self.reader.join()

    def ready(self):
        """What stands behind "ready"."""
        self.is_ready.wait(self.limit)
        if not self.words:
            raise Failure(f"{self.command[0]} did not get ready")
        return self.words

    def ended(self):
        """Waits for its end and returns exit code and output."""
        left = self.limit - (time.monotonic() - self.begin)
        try:
            code = self.process.wait(max(left, 1))
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.command[0]} did not end within {self.limit} seconds") from None
        self.reader.join()
        return code, "".join(self.output)


def summary(output):
    """The last "N passed, N failed" in an output, or None."""
    found = re.findall(r"^\s*(\d+) passed, (\d+) failed\s*$", output, re.MULTILINE)
    return (int(found[-1][0]), int(found[-1][1])) if found else None
