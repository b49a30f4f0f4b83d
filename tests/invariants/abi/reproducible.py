"""Two builds in two folders give the same library, byte for byte."""

import hashlib
import shutil
import subprocess

from driver.process import must

from .header import ROOT

# What a build reads: a copy of these, and nothing else, has to build.
SOURCES = ["go.mod", "go.sum", "capi", "engine", "eventq", "include"]
LIBRARY = "build/lib/libzigquicheh3.so"


def build(log, folder, cache):
    """Builds in a copy of the tree. cache is the folder of Go's build cache, None for the usual one."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for source in SOURCES:
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, folder / source)
        else:
            shutil.copy2(ROOT / source, folder / source)
    must(log, [folder / "capi/build.sh"], 900, cwd=folder, env={"GOCACHE": str(cache)} if cache else None)
    return hashlib.sha256((folder / LIBRARY).read_bytes()).hexdigest()


def run(log, count):
    """The second build shares nothing with the first, not even what Go has compiled before."""
    work = ROOT / "build" / "reproducible"
    shutil.rmtree(work, ignore_errors=True)
    first = build(log, work / "one", None)
    second = build(log, work / "another folder, of a longer name", work / "cache")
    log.line(f"{first}\n{second}")
    count.check(log, first == second, "both libraries are the same")
    subprocess.run(["chmod", "-R", "u+w", work], check=True)
    shutil.rmtree(work)
