"""The suites, in the order in which they are started: what takes long first."""

import filecmp
import json
import os
import re
import shutil
import sys
from pathlib import Path

from invariants.abi import check as abi_checks
from invariants.abi import header, reproducible
from invariants.host import check as host_checks

from . import count as counts
from .process import ROOT, Failure, Server, Skipped, must, run
from .schedule import Suite

BUILD = ROOT / "build"
LIBRARY = BUILD / "lib" / "libzigquicheh3.so"
BUN = ROOT / "bindings/bun/node_modules/.bin/bun"
BUN_1_3 = BUILD / "bun-1.3/node_modules/.bin/bun"
TSC = ROOT / "bindings/bun/node_modules/.bin/tsc"
PYTHON = BUILD / "venv/bin/python"  # with aioquic
LUAJIT = BUILD / "luajit/luajit"
PROGRAMS = BUILD / "tests"
WARNINGS = ["-Wall", "-Wextra", "-Werror", "-pedantic"]
PEERS = ROOT / "tests/peers"  # a Go module of its own: docs/architecture.md, Dependencies
GO_PACKAGES = {ROOT: ["./engine/...", "./eventq/...", "./capi/...", "./tests/..."], PEERS: ["./..."]}
GO_FOLDERS = ["engine", "eventq", "capi", "tests"]
TYPESCRIPT = ["bindings/bun", "tests/bun", "tests/bench", "tests/invariants/host", "tests/demo", "tests/demo-wt", "tests/wpt", "tests/moq", "tests/libraries", "tests/rust/peers"]

CONSUMERS = ("python", "luajit", "node", "deno", "ruby", "rust")  # tests/: what docs/runtimes.md quotes

# Consumers of a sanitized library serve fewer requests: what they would find shows in the first few hundred.
REQUESTS, SANITIZED_REQUESTS = 10000, 2000


# ------------------------------------------------------------------------------------------------------------------------ lint


def lint(log, count):
    code, output = run(log, ["gofmt", "-l", *GO_FOLDERS], 60)
    count.check(log, code == 0 and not output.strip(), "gofmt has nothing to change")
    for module, packages in GO_PACKAGES.items():
        for command in (["go", "vet", *packages], [BUILD / "bin/staticcheck", *packages]):
            code, _ = run(log, command, 600, cwd=module)
            count.check(log, code == 0, f"{Path(command[0]).name} has nothing to say in {module}")
    for folder in TYPESCRIPT:
        code, _ = run(log, [TSC, "--noEmit", "-p", folder], 120)
        count.check(log, code == 0, f"tsc has nothing to say about {folder}")
    for compiler, standard in (("gcc", "c99"), ("gcc", "c11"), ("g++", "c++17")):
        language = "c++" if compiler == "g++" else "c"
        command = [compiler, f"-std={standard}", *WARNINGS, "-fsyntax-only", "-x", language, ROOT / "include/zig_h3.h"]
        code, _ = run(log, command, 60)
        count.check(log, code == 0, f"the header compiles as {standard}")
    samples(log, count)
    # They run Bun's event loop inside of themselves, and wake-ups that the round outside had still to deliver are lost.
    nested = [f.name for f in sorted((ROOT / "tests/bun").glob("*.ts")) if re.search(r"\)\.(rejects|resolves)\b", f.read_text())]
    count.check(log, not nested, f"no test of a server has expect().rejects or .resolves: {nested}")
    published = BUILD / "include/zig_h3.h"
    count.check(log, filecmp.cmp(ROOT / "include/zig_h3.h", published, shallow=False), "build/include holds this very header")


def samples(log, count):
    """The programs that the documents show compile."""
    folder = PROGRAMS / "samples"
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("sample*"):
        old.unlink()
    pages = [ROOT / "README.md", ROOT / "bindings/bun/README.md", *sorted((ROOT / "docs").glob("*.md"))]
    shown = re.findall(r"```(\w+)\n(.*?)```", "".join(page.read_text() for page in pages), re.DOTALL)
    code = {language: [text for of, text in shown if of == language] for language in ("c", "ts")}
    (folder / "sample.c").write_text(code["c"][0])
    package = f'"{ROOT}/bindings/bun/src/index.ts"'
    for i, text in enumerate(code["ts"]):
        # What a sample leaves out: where the package is, and handlers of the reader's own.
        if "import " not in text:
            names = sorted(set(re.findall(r"(?:PUT|GET|POST|fetch): (\w+)\b(?! ?[=(])", text)))
            text = f"import {{ createH3Server, type Handler }} from {package};\n" + "".join(f"declare const {name}: Handler;\n" for name in names) + text
        (folder / f"sample{i}.ts").write_text(re.sub(r'"(\./bindings/bun/src/index\.ts|zig-h3)"', package, text))
    (folder / "tsconfig.json").write_text(json.dumps({"extends": f"{ROOT}/tests/bun/tsconfig.json", "include": ["sample*.ts"]}))
    excerpts(log, count)
    compiler = ["gcc", "-std=c11", *WARNINGS, "-fsyntax-only", f"-I{BUILD}/include", folder / "sample.c"]
    count.check(log, len(code["c"]) == 1 and run(log, compiler, 60)[0] == 0, "the C sample of docs/abi.md compiles")
    count.check(log, run(log, [TSC, "-p", folder], 60)[0] == 0, f"{len(code['ts'])} TypeScript samples of the documents compile")


def excerpts(log, count):
    """What docs/runtimes.md shows stands, line by line, in a consumer that is run."""
    run_ones = {f for folder in CONSUMERS for f in (ROOT / "tests" / folder).iterdir() if f.suffix in (".py", ".lua", ".mjs", ".ts", ".rb", ".rs")}
    lines = {line.strip() for f in run_ones for line in f.read_text().splitlines()}
    shown = re.findall(r"```\w+\n(.*?)```", (ROOT / "docs/runtimes.md").read_text(), re.DOTALL)
    other = sorted({line.strip() for text in shown for line in text.splitlines()} - lines - {""})
    count.check(log, shown and not other, f"the snippets of docs/runtimes.md are lines of the consumers: {other}")


def layering(log, count):
    count.add(counts.of_program(log, *run(log, ["go", "run", "./tests/lint/layering"], 120)))


# -------------------------------------------------------------------------------------------------------------------------- go


def go_tests(*packages, peers=(), race=True, limit=600):
    """packages of the library's module, and peers of that in tests/peers."""
    def suite(log, count):
        for module, chosen in ((ROOT, packages), (PEERS, peers)):
            if not chosen:
                continue
            command = ["go", "test", "-json", "-count=1", f"-timeout={limit - 30}s", *(["-race"] if race else []), *chosen]
            code, output = run(log, command, limit, cwd=module, quiet=True)
            count.add(counts.of_go_test(log, code, output))

    return suite


def command_line(log, count):
    """build/h3: its tests, which go:engine runs under the race detector, once more with the program that is built, and with peers of other make."""
    must(log, [ROOT / "engine/cmd/h3/build.sh"], 300)
    for name in ("plain", "plainwt"):
        build_peer(log, name)
    env = {"H3_TEST_PROGRAM": BUILD / "h3", "H3_TEST_PEERS": PROGRAMS, "H3_TEST_PYTHON": PYTHON}
    code, output = run(log, ["go", "test", "-json", "-count=1", "-timeout=270s", "./engine/cmd/h3"], 300, env=env, quiet=True)
    found = counts.of_go_test(log, code, output)
    count.check(log, found.skipped == 0, "every test has what it needs")
    count.add(found)


def quicgo(log, count):
    """The tests that stand in the build's copy of quic-go, and those of the engine that take it."""
    if os.environ.get("ZIG_H3_STOCK_QUIC", "0") == "1":
        raise Skipped("ZIG_H3_STOCK_QUIC=1: quic-go is built as it is")
    for chosen in (["github.com/quic-go/quic-go", "github.com/quic-go/quic-go/internal/congestion"], ["./engine/client", "-run=CongestionControlOfAClient"]):
        code, output = run(log, ["go", "test", "-json", "-count=1", "-modfile=build/quic-go.mod", *chosen], 300, quiet=True)
        count.add(counts.of_go_test(log, code, output))


# --------------------------------------------------------------------------------------------------------------------------- c


def compile_c(log, sources, name, *flags, library=None):
    """Compiles a C program into build/tests; library is the folder of the one to link, if it is to be linked."""
    PROGRAMS.mkdir(parents=True, exist_ok=True)
    program = PROGRAMS / name
    command = ["gcc", "-std=c11", *WARNINGS, "-O1", "-g", f"-I{ROOT}/include", f"-I{ROOT}/capi", *flags, *sources, "-o", program]
    if library:
        command += [f"-L{library}", "-lzigquicheh3", f"-Wl,-rpath,{library}"]
    must(log, [*command, "-pthread", "-ldl"], 120)
    return program


def build_peer(log, name, suffix="", *flags):
    """Builds a program of tests/peers; flags make another one of it, whose name has a suffix."""
    program = PROGRAMS / (name + suffix)
    must(log, ["go", "build", "-o", program, *flags, f"./{name}"], 300, cwd=PEERS)
    return program


def serve(log, count, command, requests, limit, env=None):
    """Runs a consumer that serves, with the Go client against it."""
    client = build_peer(log, "client")
    with Server(log, [*command, requests], limit, env=env) as server:
        port, digest = server.ready()
        url = f"https://127.0.0.1:{port}"
        code, output = run(log, [client, "-url", url, "-n", requests, "-c", 64, "-hash", digest], limit)
        report = json.loads(output.splitlines()[-1]) if output.startswith("{") else {}
        count.check(log, code == 0 and report.get("ok") == requests, "the client got every answer")
        count.add(counts.of_program(log, *server.ended()))


# Programs of the library's C side alone, linked with its sources: no engine takes what they hand over.
WITHOUT_ENGINE = ("refused", "resting", "polled", "chunks", "config", "caller_memory")

# Programs for a library that finds no room most of the time.
REFUSED = ("full", "full_client")


def c_tests():
    """The programs in tests/c that need no company. Those of the ring and serve.c have suites of their own."""
    apart = ("serve.c", "ring_stress.c", "ring_litmus.c", *(f"{name}.c" for name in (*WITHOUT_ENGINE, *REFUSED)))
    sources = [source for source in sorted((ROOT / "tests/c").glob("*.c")) if source.name not in apart]
    if not sources:
        raise Failure("there is no program in tests/c")
    return sources


def c_programs(log, count):
    fuzzed = set(re.findall(r"\b(zig_h3_\w+)\(", (ROOT / "tests/c/fuzz.c").read_text()))
    count.check(log, not set(header.functions()) - fuzzed, f"fuzz.c calls every function: {sorted(set(header.functions()) - fuzzed)}")
    for source in c_tests():
        program = compile_c(log, [source], source.stem, library=LIBRARY.parent)
        count.add(counts.of_program(log, *run(log, [program], 240)))
    for name in WITHOUT_ENGINE:
        sources = [ROOT / f"tests/c/{name}.c", *sorted((ROOT / "capi").glob("*.c"))]
        program = compile_c(log, sources, name, "-D_GNU_SOURCE")
        count.add(counts.of_program(log, *run(log, [program], 60)))


def refusing(log):
    """The folder of a library that takes the submission ring for full three of four times."""
    must(log, [ROOT / "capi/build.sh"], 600, env={"OUT": "build/refusing", "CGO_CFLAGS": "-O2 -DSUBMISSION_REFUSES"})
    return ROOT / "build/refusing/lib"


def c_full(log, count):
    library = refusing(log)
    for name in REFUSED:
        program = compile_c(log, [ROOT / f"tests/c/{name}.c"], name, library=library)
        count.add(counts.of_program(log, *run(log, [program], 240)))


def c_serve(log, count):
    program = compile_c(log, [ROOT / "tests/c/serve.c"], "serve", library=LIBRARY.parent)
    serve(log, count, [program], REQUESTS, 120)


# Programs that a sanitizer cannot stand beside: it takes signals and forks into its own hands, and must be there before a dlopen.
UNINSTRUMENTED = {"signals", "fork", "fatal", "poll_bench", "wait_free", "leftovers"}

# Whatever a sanitizer finds ends the program with an exit code of its own. Leaks are looked for with H3_STRESS=1 only: what Go alone knows of as the
# process ends, a body on its way or a queue that is being given back, would be taken for one now and then.
LEAKS = int(os.environ.get("H3_STRESS") == "1")
SANITIZERS = {
    "thread": {"TSAN_OPTIONS": f"halt_on_error=1 exitcode=66 suppressions={ROOT}/tests/c/thread.supp"},
    "address,undefined": {
        "ASAN_OPTIONS": f"exitcode=66 detect_leaks={LEAKS}", "UBSAN_OPTIONS": "halt_on_error=1 print_stacktrace=1 exitcode=66",
    },
}


def fixed_addresses(command):
    """ThreadSanitizer of older compilers cannot place its shadow where the kernel randomises much."""
    return ["setarch", os.uname().machine, "-R", *command] if shutil.which("setarch") else command


def sanitized_ring(log, count):
    """The ring alone, pure C: producers and consumer hammer it under both sanitizers, and at full speed."""
    def sources(test):
        return [ROOT / "tests/c" / f"{test}.c", ROOT / "capi/ring.c"]

    for sanitizer, env in SANITIZERS.items():
        for test in ("ring_stress", "ring_litmus"):
            name = f"{test}-{sanitizer.split(',')[0]}"
            program = compile_c(log, sources(test), name, f"-fsanitize={sanitizer}", "-fno-sanitize-recover=all")
            count.add(counts.of_program(log, *run(log, fixed_addresses([program]), 240, env=env)))
    program = compile_c(log, sources("ring_litmus"), "ring_litmus", "-O2")
    count.add(counts.of_program(log, *run(log, [program], 240)))


def sanitized_library(log, count):
    """The whole library with its C side instrumented, in C programs that are instrumented too."""
    for sanitizer, env in SANITIZERS.items():
        name = sanitizer.split(",")[0]
        folder = f"build/sanitized-{name}"
        flags = {"CGO_CFLAGS": f"-fsanitize={sanitizer} -O1 -g -fno-omit-frame-pointer", "CGO_LDFLAGS": f"-fsanitize={sanitizer}"}
        must(log, [ROOT / "capi/build.sh"], 600, env={"OUT": folder, **flags})
        for source in [ROOT / "tests/c/serve.c", *c_tests()]:
            if source.stem in UNINSTRUMENTED:
                continue
            program = compile_c(log, [source], f"{source.stem}-{name}", f"-fsanitize={sanitizer}", library=ROOT / folder / "lib")
            if source.stem == "serve":
                serve(log, count, fixed_addresses([program]), SANITIZED_REQUESTS, 240, env=env)
            else:
                count.add(counts.of_program(log, *run(log, fixed_addresses([program]), 240, env=env)))


# ---------------------------------------------------------------------------------------------------------------------- python


def python(log, count):
    serve(log, count, [sys.executable, ROOT / "tests/python/serve.py", LIBRARY], REQUESTS, 180)
    aio(log, count, LIBRARY)
    count.add(counts.of_program(log, *run(log, [sys.executable, ROOT / "tests/python/client.py", LIBRARY], 120)))


# ------------------------------------------------------------------------------------------------------------- other runtimes


def consumer(log, count, *command, env=None):
    """A program in another runtime that serves until its standard input ends, tried by aioquic."""
    count.add(counts.of_program(log, *run(log, [PYTHON, ROOT / "tests/aioquic/consumer.py", *command], 120, env=env)))


def aio(log, count, library):
    consumer(log, count, sys.executable, ROOT / "tests/python/aio.py", library)


def luajit(log, count, library=LIBRARY):
    if not LUAJIT.exists():
        raise Skipped("there is no luajit, and no apt-get to have it from")
    declarations = BUILD / "include/zig_h3.cdef.h"
    consumer(log, count, LUAJIT, ROOT / "tests/luajit/serve.lua", library, declarations)
    if library == LIBRARY:  # where nothing is refused: it shows how a client polls, not how it waits for room
        count.add(counts.of_program(log, *run(log, [LUAJIT, ROOT / "tests/luajit/client.lua", library, declarations], 120)))


def node(log, count, library=LIBRARY):
    consumer(log, count, "node", ROOT / "tests/node/serve.mjs", library)


def deno(log, count, library=LIBRARY):
    program, source = ROOT / "tests/deno/node_modules/.bin/deno", ROOT / "tests/deno/serve.ts"
    env = {"DENO_DIR": BUILD / "deno"}
    count.check(log, run(log, [program, "check", source], 60, env=env)[0] == 0, "deno has nothing to say about its consumer")
    consumer(log, count, program, "run", "--no-prompt", "--allow-ffi", source, library, env=env)


def ruby(log, count, library=LIBRARY):
    if not shutil.which("ruby"):
        raise Skipped("there is no ruby")
    consumer(log, count, "ruby", "-w", ROOT / "tests/ruby/serve.rb", library)


def rust(log, count, library=LIBRARY):
    if not shutil.which("rustc"):
        raise Skipped("there is no rustc")
    program, folder = PROGRAMS / "serve-rust", library.parent
    PROGRAMS.mkdir(parents=True, exist_ok=True)
    linked = ["-L", folder, "-l", "zigquicheh3", "-C", f"link-arg=-Wl,-rpath,{folder}"]
    must(log, ["rustc", "--edition", "2021", "-O", "-D", "warnings", *linked, "-o", program, ROOT / "tests/rust/serve.rs"], 240)
    consumer(log, count, program)


def runtimes_full(log, count):
    """What a consumer is refused it sends again when it is told of room, and has no other chance."""
    library = refusing(log) / LIBRARY.name
    for suite in (aio, luajit, node, deno, ruby, rust):
        try:
            suite(log, count, library)
        except Skipped as missing:
            log.line(str(missing))


# ------------------------------------------------------------------------------------------------------------------------- bun


def bun_tests(folder, limit):
    def suite(log, count):
        bun_files(log, count, folder, limit, sorted((ROOT / folder).rglob("*.test.ts")))

    return suite


def bun_files(log, count, folder, limit, files, env={}, more=()):
    report = BUILD / "test-logs" / (log.path.stem + ".xml")
    report.unlink(missing_ok=True)
    command = [BUN, "test", "--reporter=junit", f"--reporter-outfile={report}", *(f"./{f.relative_to(ROOT / folder)}" for f in files), *more]
    code, _ = run(log, command, limit, cwd=ROOT / folder, env={"PYTHON": str(PYTHON), **env})
    count.add(counts.of_junit(log, code, report))


# Those of tests/bun that send no datagrams, which would be dropped, or send them again and again.
NOTHING_LOST = ("bodies", "failures", "fetch", "lifecycle", "responses", "streaming", "webtransport-client", "webtransport-decision")


def full(log, count):
    """tests/bun where the ring to the engine is full three of four times: what is refused is made again when it is told of."""
    files = [ROOT / "tests/bun" / f"{name}.test.ts" for name in NOTHING_LOST]
    bun_files(log, count, "tests/bun", 600, files, {"ZIG_H3_LIBDIR": str(refusing(log))}, ["-t", "^(?!.*not tried again and again).*$"])


BROWSER = "webtransport-chromium"


def browser(log, count):
    bun_files(log, count, "tests/bun", 600, sorted((ROOT / "tests/bun").glob(f"{BROWSER}*.test.ts")))


def behaviours(of_sessions):
    """tests/bun: those of sessions and datagrams, which need more clients, or all others; the browser's are a suite of their own."""
    def suite(log, count):
        build_peer(log, "wtgo")
        build_peer(log, "odd")
        build_peer(log, "plainwt")
        build_peer(log, "sessions")
        build_peer(log, "sessions", "-0.9", "-modfile=webtransport-0.9.mod", "-tags=webtransport09")
        must(log, ["go", "build", "-o", PROGRAMS / "path", "./tests/bench/path"], 300)
        files = sorted((ROOT / "tests/bun").glob("*.test.ts"))
        chosen = [f for f in files if f.name.startswith(("webtransport", "datagrams")) == of_sessions and not f.name.startswith(BROWSER)]
        bun_files(log, count, "tests/bun", 600, chosen)

    return suite


# What a request may see, whatever its client offers.
EITHER_OFFER = (
    "bodies", "failures", "files", "lifecycle", "limits", "log", "offer", "pump", "request", "responses", "routing", "streaming",
)


def offering(log, count):
    """tests/bun: requests, bodies, responses and failures once more, with clients that offer DATAGRAM and servers with sessions."""
    files = [ROOT / "tests/bun" / f"{name}.test.ts" for name in EITHER_OFFER]
    bun_files(log, count, "tests/bun", 600, files, {"H3_CLIENTS": "datagram"})


# ------------------------------------------------------------------------------------------------------------------ invariants


def host(log, count):
    host_checks.run(log, count, build_peer(log, "client"))


def demo(log, count):
    code, output = run(log, [ROOT / "tests/demo/run"], 120)
    count.check(log, code == 0, "the demo ends with exit code 0")
    count.check(log, output.count("hello demo, this is Bun") == 2, "each client of the demo shows its answer")


def demo_wt(log, count):
    """The page in a browser, for some seconds: round trips of both kinds are on it."""
    picture = PROGRAMS / "demo-wt.png"
    picture.unlink(missing_ok=True)
    code, output = run(log, [ROOT / "tests/demo-wt/run", "--screenshot", picture, "3"], 240)
    count.check(log, code == 0, "the demo of WebTransport ends with exit code 0")
    for kind in ("datagrams", "bidirectional streams"):
        count.check(log, re.search(rf"^{kind}: \d+ round trips$", output, re.MULTILINE), f"the page shows round trips of {kind}")
    lost = "^then: the session was closed with code 0; load the page again for another$"
    count.check(log, re.search(lost, output, re.MULTILINE), "the page says that the server has gone")
    count.check(log, picture.exists() and picture.read_bytes().startswith(b"\x89PNG"), "there is a picture of it")


def moq(log, count):
    bun_files(log, count, "tests/moq", 120, [ROOT / "tests/moq/moq.test.ts"])


def libraries(log, count):
    bun_files(log, count, "tests/libraries", 120, [ROOT / "tests/libraries/libraries.test.ts"])


def shape(log, count):
    """The interfaces of WebTransport in Bun against the standard's IDL."""
    count.add(counts.of_program(log, *run(log, [BUN, ROOT / "tests/wpt/bun.ts", "shape"], 120)))


def checked_out():
    """Without a checkout of web-platform-tests there is nothing to run; one that is named must be there."""
    if not os.environ.get("WPT_DIR"):
        raise Skipped("WPT_DIR names no checkout of web-platform-tests")


def wpt_bun(log, count):
    """The W3C's own tests in Bun."""
    checked_out()
    count.add(counts.of_program(log, *run(log, [BUN, ROOT / "tests/wpt/bun.ts"], 600)))


def wpt(log, count):
    """The W3C's own tests in Chromium."""
    checked_out()
    count.add(counts.of_program(log, *run(log, [ROOT / "tests/wpt/run"], 600)))


def wtransport(log, count):
    """Rust's client at this server, and the load generator that is made of it. Their first build takes a minute or two."""
    if not shutil.which("cargo"):
        raise Failure("there is no cargo")
    folder = ROOT / "tests/bench/wtload"
    for command in (["cargo", "fmt", "--check"], ["cargo", "clippy", "--locked", "--all-targets", "--quiet", "--", "-D", "warnings"]):
        code, _ = run(log, command, 600, cwd=folder)
        count.check(log, code == 0, f"{' '.join(command[:2])} has nothing to say")
    code, output = run(log, ["cargo", "test", "--locked", "--no-fail-fast"], 600, cwd=folder)
    count.add(counts.of_cargo_test(log, code, output))


def rust_peers(log, count):
    """Our clients at servers in Rust: wtransport, web-transport-quinn, h3 on quinn. Their first build takes a minute or two."""
    if not shutil.which("cargo"):
        raise Skipped("there is no cargo")
    folder = ROOT / "tests/rust/peers"
    for command in (["cargo", "fmt", "--check"], ["cargo", "clippy", "--locked", "--quiet", "--", "-D", "warnings"]):
        code, _ = run(log, command, 600, cwd=folder)
        count.check(log, code == 0, f"{' '.join(command[:2])} has nothing to say")
    must(log, ["cargo", "build", "--locked", "--quiet"], 600, cwd=folder)
    compile_c(log, [folder / "client.c"], "peers-client", f"-I{ROOT}/tests/c", library=LIBRARY.parent)
    bun_files(log, count, "tests/rust/peers", 300, sorted(folder.glob("*.test.ts")))


ALL = [
    Suite("lint", "gofmt, go vet, staticcheck, tsc, the header as C99, C11 and C++17", lint),
    Suite("go:engine", "unit tests of engine/ under the race detector", go_tests("./engine/...")),
    Suite("cli", "the command line program as it is built: get, serve, wt, bench; quic-go's http3, webtransport-go, aioquic", command_line),
    Suite("layering", "who imports whom; no output, no exit, no signal, no callback", layering),
    Suite("go:eventq", "unit tests of eventq/ under the race detector", go_tests("./eventq/...")),
    Suite("go:tests", "unit tests of what tests/ and capi/ hold in Go", go_tests("./capi/...", "./tests/...", peers=GO_PACKAGES[PEERS])),
    Suite("go:quicgo", "what capi/build.sh puts into quic-go: its calls go to engine/congestion, headers of streams outlive a reset", quicgo),
    Suite("reproducible", "two builds in two folders are the same, byte for byte", reproducible.run),
    Suite("ring", "the ring in C under ThreadSanitizer and AddressSanitizer, and at full speed", sanitized_ring, alone=True),
    Suite("abi", "header, exports, structs and TypeScript tables say the same (A03)", abi_checks.run),
    Suite("c", "the programs in tests/c against the library", c_programs, alone=True),
    Suite("c:serve", "a C program serves 10,000 requests", c_serve, alone=True),
    Suite("c:full", "calls that find no room most of the time are told of when they can be made again", c_full, alone=True),
    Suite("c:sanitized", "both again with an instrumented library, under both sanitizers", sanitized_library, alone=True),
    Suite("python", "a Python program serves 10,000 requests; a consumer in asyncio", python, alone=True),
    Suite("luajit", "a consumer in LuaJIT: poll on the queue's descriptor", luajit),
    Suite("node", "a consumer in Node: koffi, zig_h3_next_events on a timer", node),
    Suite("deno", "a consumer in Deno: zig_h3_queue_wait that gives a promise", deno),
    Suite("ruby", "a consumer in Ruby: Fiddle, the descriptor in IO.select", ruby),
    Suite("rust", "a consumer in Rust: zig_h3_queue_wait, no crates", rust),
    Suite("runtimes:full", "these consumers where calls find no room most of the time", runtimes_full, alone=True),
    Suite("host", "what the library must not do to a Bun process (A10, signals, collector)", host, alone=True),
    Suite("bindings", "bun test in bindings/bun", bun_tests("bindings/bun", 300), alone=True),
    Suite("bun", "bun test in tests/bun: behaviours, end to end, of clients that offer no DATAGRAM", behaviours(False), alone=True),
    Suite("bun:datagram", "of these, what a request may see: once more, of clients that offer it, as browsers do", offering, alone=True),
    Suite("bun:full", "of these, what answers and sends: once more, where calls find no room most of the time", full, alone=True),
    Suite("webtransport", "those of sessions and datagrams, of servers and clients: webtransport-go, aioquic, pywebtransport", behaviours(True), alone=True),
    Suite("shape", "the interfaces of WebTransport against the standard's IDL, by the W3C's idlharness.js (W23)", shape),
    Suite("moq", "a library written for browsers, @moq/lite, on WebTransport in Bun and on sessions of the server", moq, alone=True),
    Suite("libraries", "libraries that take a fetch, on h3Fetch: eventsource, ky, OpenAI's client", libraries, alone=True),
    Suite("chromium", "sessions as a browser sees them", browser, alone=True),
    Suite("demo", "what the README promises", demo, alone=True),
    Suite("demo-wt", "the page with WebTransport's round-trip times, in Chromium", demo_wt, alone=True),
]

# Only by name: a checkout of web-platform-tests is at hand or not, and so is cargo with the time to build a QUIC stack.
BY_NAME = [
    Suite("wpt", "the W3C's tests of WebTransport, in Chromium; WPT_DIR names their checkout", wpt, alone=True),
    Suite("wpt:bun", "the W3C's tests of WebTransport, in Bun (W23); WPT_DIR names their checkout", wpt_bun, alone=True),
    Suite("wtransport", "sessions of Rust's wtransport, and the benchmark's load that it makes; needs cargo", wtransport, alone=True),
    Suite("rust:peers", "our clients at servers in Rust: wtransport, web-transport-quinn, h3 on quinn; needs cargo", rust_peers, alone=True),
]
