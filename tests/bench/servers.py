"""The servers that a benchmark compares: how each is built, started and stopped."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BENCH = ROOT / "tests" / "bench"
BUILD = ROOT / "build" / "bench"
CERT, KEY = BUILD / "cert.pem", BUILD / "key.pem"
# The floor programs, which are no part of this project: nothing of them is copied, and where they are not, they are not measured.
FLOOR = Path(os.environ.get("FLOOR_DIR") or ROOT.parent / "shared" / "floor")


class Unavailable(Exception):
    """A server that cannot be measured here, with the reason."""


def bun():
    """Bun's program: the one that the package pins, unless BUN names another."""
    program = os.environ.get("BUN") or ROOT / "bindings" / "bun" / "node_modules" / ".bin" / "bun"
    if not shutil.which(str(program)):
        raise Unavailable(f"no Bun at {program}: run `npm ci` in bindings/bun")
    return str(program)


def go_build(package, cwd=ROOT):
    """Builds a Go program into build/bench, named after its folder."""
    program = BUILD / Path(package).name
    done = subprocess.run(["go", "build", "-o", program, "."], cwd=cwd / package, capture_output=True, text=True)
    if done.returncode:
        raise Unavailable(f"{package} does not build: {done.stderr.strip()}")
    return str(program)


def c_build(source):
    """Builds a C program against the library, which has to be built already."""
    library, program = ROOT / "build" / "lib", BUILD / Path(source).stem
    command = [os.environ.get("CC", "cc"), "-O2", "-o", program, ROOT / source, f"-I{ROOT / 'include'}", f"-L{library}", "-lzigquicheh3", "-lpthread", f"-Wl,-rpath,{library}"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise Unavailable(f"{source} does not build: {done.stderr.strip()}")
    return str(program)


def cargo_build(package):
    """Builds a Rust program, named after its folder, and what it needs, as its lock file has it, below build/bench/cargo."""
    if not shutil.which("cargo"):
        raise Unavailable(f"{package} needs cargo, which is not there")
    target = BUILD / "cargo"
    program = target / "release" / Path(package).name
    if not program.exists():
        print(f"building {package}: about two minutes of CPU, once", file=sys.stderr, flush=True)
    done = subprocess.run(["cargo", "build", "--release", "--locked", "--quiet", "--target-dir", target], cwd=ROOT / package, capture_output=True, text=True)
    if done.returncode:
        raise Unavailable(f"{package} does not build: {done.stderr.strip()[-800:]}")
    return str(program)


def prepare():
    """Builds the load generator and makes the certificate that all servers use. Gives the load generator's path."""
    BUILD.mkdir(parents=True, exist_ok=True)
    if not (CERT.exists() and KEY.exists()):
        subprocess.run([go_build("tests/bench/certificate"), CERT, KEY], check=True)
    return go_build("tests/peers/load")


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def bound(port):
    """Whether somebody listens on a UDP port, for servers that do not say so themselves."""
    tables = [Path("/proc/net/udp"), Path("/proc/net/udp6")]
    return any(re.search(rf"^\s*\d+: [0-9A-F]+:{port:04X} ", t.read_text(), re.M) for t in tables if t.exists())


def plain():
    return [go_build("tests/peers/plain"), "-cert", str(CERT), "-key", str(KEY)], None


def bunserve():
    return [bun(), str(BENCH / "bunserve.ts")], None


def zigh3():
    return [bun(), str(BENCH / "zigh3.ts")], None


def plainwt():
    return [go_build("tests/peers/plainwt"), "-cert", str(CERT), "-key", str(KEY)], None


def zigh3wt():
    return [bun(), str(BENCH / "zigh3wt.ts")], None


def npmwt():
    """Installed where it is run, from its lock file. Its binary wants a newer glibc than Debian 12 has, and does not load there, unless
    NPMWT_BUN names a program that starts Bun with one."""
    folder = BUILD / "npmwt"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json", "server.ts"):
        shutil.copy(BENCH / "npmwt" / name, folder)
    done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise Unavailable(f"npm ci: {done.stderr.strip()[-300:]}")
    return [os.environ.get("NPMWT_BUN") or bun(), str(folder / "server.ts")], None


def engine():
    return [go_build("tests/bench/engine"), "-cert", str(CERT), "-key", str(KEY)], None


def enginewt():
    return [go_build("tests/bench/engine"), "-cert", str(CERT), "-key", str(KEY), "-sessions"], None


def floor_build(folder, name):
    """Builds a floor program where it stands."""
    if not folder.is_dir():
        raise Unavailable(f"there is no {folder} (FLOOR_DIR names the folder of the floor programs)")
    program = BUILD / name
    done = subprocess.run(["go", "build", "-C", folder, "-o", program, "."], capture_output=True, text=True)
    if done.returncode:
        raise Unavailable(f"{folder} does not build: {done.stderr.strip()}")
    return str(program)


def floor():
    port = free_port()
    return [floor_build(FLOOR, "floor"), "-via", "reactor", "-addr", f"127.0.0.1:{port}"], port


def floorwt():
    return [floor_build(FLOOR / "sessions", "floorwt"), "-cert", str(CERT), "-key", str(KEY)], None


COMMANDS = {"plain": plain, "bun": bunserve, "zigh3": zigh3, "engine": engine, "floor": floor, "plainwt": plainwt, "npmwt": npmwt,
            "zigh3wt": zigh3wt, "enginewt": enginewt, "floorwt": floorwt}
# Not being there does not fail a run.
OPTIONAL = {"npmwt", "floor", "floorwt"}
# Those that tell at /mallocs how many objects they have allocated.
COUNT_ALLOCATIONS = {"plain", "engine", "plainwt", "enginewt"}


class Server:
    """A running server. Its output goes to build/bench/<name>.log."""

    patience = 20  # seconds to become ready in

    def __init__(self, name, environment=None):
        self.name = name
        command, port = COMMANDS[name]()
        log = BUILD / f"{name}.log"
        with open(log, "wb") as out:
            environment = {**os.environ, "BENCH_CERT": str(CERT), "BENCH_KEY": str(KEY), "BENCH_PORT": str(free_port()),
                           **(environment or {})}
            self.process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment)
        self.pid = self.process.pid
        try:
            self.port = self._ready(log, port)
        except BaseException:
            self.stop()
            raise

    def _ready(self, log, port):
        end = time.monotonic() + self.patience
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise Unavailable(f"{self.name} ended at once: {log.read_text(errors='replace').strip()[-800:]}")
            said = re.search(r"^ready (\d+)", log.read_text(errors="replace"), re.M)
            if said:
                return int(said[1])
            if port and bound(port):
                return port
            time.sleep(0.02)
        raise Unavailable(f"{self.name} was not ready after {self.patience} s: see {log}")

    def cpu(self):
        """Nanoseconds that all threads of the server have run, ended ones too: what clock_getcpuclockid(3) names."""
        return time.clock_gettime_ns((~self.pid << 3) | 2)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
