"""A03: the header, what the library exports, its structs and the tables of the Bun package say the same."""

import ctypes
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from driver.process import must

from . import header

ROOT = header.ROOT
LIBRARY = ROOT / "build/lib/libzigquicheh3.so"
BUN = ROOT / "bindings/bun/node_modules/.bin/bun"
CDEF = ROOT / "build/include/zig_h3.cdef.h"
PYTHON = ROOT / "build/venv/bin/python"  # with cffi and pycparser
STRUCTS = {  # enum zig_h3_struct: the struct that it stands for
    "ZIG_H3_STRUCT_RECORD": "zig_h3_record",
    "ZIG_H3_STRUCT_EVENT": "zig_h3_event",
    "ZIG_H3_STRUCT_QUEUE_CONFIG": "zig_h3_queue_config",
    "ZIG_H3_STRUCT_SERVER_CONFIG": "zig_h3_server_config",
    "ZIG_H3_STRUCT_QUEUE_SPAN": "zig_h3_queue_span",
    "ZIG_H3_STRUCT_DATAGRAM": "zig_h3_datagram",
    "ZIG_H3_STRUCT_CLIENT_CONFIG": "zig_h3_client_config",
    "ZIG_H3_STRUCT_FETCH_CONFIG": "zig_h3_fetch_config",
    "ZIG_H3_STRUCT_SESSION_CONFIG": "zig_h3_session_config",
}


def exported(path=LIBRARY):
    """Symbols that a linker finds in a library. Its version nodes are absolute symbols (A), not names to call."""
    output = subprocess.run(["nm", "-D", "--defined-only", path], capture_output=True, text=True, check=True).stdout
    return {name.split("@")[0] for _, kind, name in (line.split() for line in output.splitlines()) if kind != "A"}


def same(log, count, got, want, what):
    """Two sets or tables are equal; what only one of them has is named."""
    missing, surplus = sorted(set(want) - set(got)), sorted(set(got) - set(want))
    if missing or surplus:
        log.line(f"{what}: missing {missing}, surplus {surplus}")
    differing = []
    if isinstance(want, dict):
        differing = [f"{key} is {got[key]!r}, not {want[key]!r}" for key in want if key in got and got[key] != want[key]]
        for difference in differing:
            log.line(f"{what}: {difference}")
    count.check(log, not (missing or surplus or differing), what)


def check_exports(log, count):
    names = header.functions()
    same(log, count, exported(), set(names) | {name + "_v1" for name in names}, "exports are the header's functions and their _v1")
    dynamic = subprocess.run(["readelf", "-dW", LIBRARY], capture_output=True, text=True, check=True).stdout
    count.check(log, re.search(r"SONAME.*\[libzigquicheh3\.so\.1\]", dynamic), "the soname is libzigquicheh3.so.1")
    count.check(log, "NODELETE" in dynamic, "the library is never unloaded")


def check_structs(log, count):
    """The library that was built has the sizes and names that the header gives a program now."""
    library = ctypes.CDLL(LIBRARY)
    library.zig_h3_struct_size.restype = ctypes.c_size_t
    library.zig_h3_error_name.restype = library.zig_h3_event_name.restype = ctypes.c_char_p
    structs, enums = header.structs(), header.enums()
    same(log, count, set(STRUCTS), set(enums["zig_h3_struct"]), "each struct of enum zig_h3_struct is known here")
    sizes = {name: library.zig_h3_struct_size(kind) for name, kind in enums["zig_h3_struct"].items()}
    same(log, count, sizes, {kind: structs[name].size for kind, name in STRUCTS.items()}, "zig_h3_struct_size gives the compiler's sizes")
    names = {name: library.zig_h3_error_name(code).decode() for name, code in enums["zig_h3_error"].items()}
    same(log, count, names, {name: name for name in names}, "zig_h3_error_name knows every result")
    names = {name: library.zig_h3_event_name(number).decode() for name, number in enums["zig_h3_event_type"].items()}
    same(log, count, names, {name: name for name in names}, "zig_h3_event_name knows every event")
    said = {"ZIG_H3_ABI_VERSION": library.zig_h3_abi_version(), "ZIG_H3_ABI_MINOR": library.zig_h3_abi_minor()}
    same(log, count, said, enums["zig_h3_abi"], "zig_h3_abi_version and zig_h3_abi_minor give the header's")
    macros = re.findall(r"#define\s+(ZIG_H3_ABI_\w+)\s+(\d+)u", header.HEADER.read_text(encoding="utf-8"))
    same(log, count, {name: int(value) for name, value in macros}, enums["zig_h3_abi"], "the macros of the version are its constants")


def nodes():
    """The version node of each name that capi/exports.map lists."""
    script = re.sub(r"/\*.*?\*/", "", (ROOT / "capi/exports.map").read_text(encoding="utf-8"), flags=re.DOTALL)
    found = {}
    for node, body in re.findall(r"(ZIGH3_[\d.]+) \{(.*?)\}", script, flags=re.DOTALL):
        found |= {name: node for name in re.findall(r"\b(zig_h3_\w+);", body)}
    return found


def check_nodes(log, count):
    """What a program calls that is newer than the library, ld.so misses when the program starts, and nothing else of it."""
    known = nodes()
    latest = max(int(node.partition(".")[2] or 0) for node in known.values())
    # An addition without a symbol, as a field of a struct, has no node.
    count.check(log, latest <= header.enums()["zig_h3_abi"]["ZIG_H3_ABI_MINOR"], "no node is beyond ZIG_H3_ABI_MINOR")
    output = subprocess.run(["nm", "-D", "--defined-only", LIBRARY], capture_output=True, text=True, check=True).stdout
    same(log, count, dict(re.findall(r"\b(zig_h3_\w+)@@(\S+)", output)), known, "each symbol has the node that exports.map gives it")
    old = [name for name, node in known.items() if node == "ZIGH3_1"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "old.map").write_text("ZIGH3_1 { global: " + " ".join(f"{symbol};" for symbol in old) + " local: *; };\n")
        (folder / "old.c").write_text("".join(f"int {symbol}(void) {{ return 1; }}\n" for symbol in old))
        script = f"-Wl,--version-script={folder}/old.map,-soname,libzigquicheh3.so.1"
        subprocess.run(["gcc", "-shared", "-fPIC", folder / "old.c", script, "-o", folder / "libzigquicheh3.so.1"], check=True)
        for call, needs in (("zig_h3_abi_version()", ""), ("zig_h3_abi_minor()", "ZIGH3_1.1"), ("zig_h3_client_free(0)", "ZIGH3_1.2")):
            (folder / "calls.c").write_text(f'#include "{header.HEADER}"\nint main(void) {{ return {call} != 1; }}\n')
            link = [f"-L{LIBRARY.parent}", "-lzigquicheh3"]
            subprocess.run(["gcc", folder / "calls.c", "-o", folder / "calls", *link], check=True)
            ran = subprocess.run([folder / "calls"], capture_output=True, text=True, env=os.environ | {"LD_LIBRARY_PATH": name})
            missed = re.findall(r"version `(\S+)' not found", ran.stderr)
            count.check(log, missed == ([needs] if needs else []) and (ran.returncode != 0) == bool(needs),
                        f"a library of 1.0 under a program that calls {call}: {ran.stderr or 'it runs'}")


# Run by PYTHON: the stripped header, by parsers that have no preprocessor. pycparser knows no type of its own; cffi, as LuaJIT, those of C99.
PARSE = """
import sys, json, cffi, pycparser
path, library = sys.argv[1:]
text = open(path, encoding="utf-8").read()
integers = "".join(f"typedef int {sign}int{bits}_t;" for bits in (8, 16, 32, 64) for sign in ("", "u"))
tree = pycparser.CParser().parse(integers + "typedef unsigned long size_t;" + text)
functions = [d.name for d in tree.ext if isinstance(d, pycparser.c_ast.Decl) and isinstance(d.type, pycparser.c_ast.FuncDecl)]
ffi = cffi.FFI()
ffi.cdef(text)
lib = ffi.dlopen(library)
sizes = [ffi.sizeof("zig_h3_record"), lib.zig_h3_struct_size(lib.ZIG_H3_STRUCT_RECORD)]
print(json.dumps({"functions": functions, "version": [lib.ZIG_H3_ABI_VERSION, lib.zig_h3_abi_version()], "sizes": sizes}))
"""


def check_cdef(log, count):
    ran = subprocess.run([PYTHON, "-c", PARSE, CDEF, LIBRARY], capture_output=True, text=True)
    count.check(log, ran.returncode == 0, f"pycparser and cffi take zig_h3.cdef.h: {ran.stderr}")
    if ran.returncode != 0:
        return
    parsed = json.loads(ran.stdout)
    same(log, count, set(parsed["functions"]), set(header.functions()), "zig_h3.cdef.h declares the header's functions")
    count.check(log, parsed["version"] == [1, 1] and parsed["sizes"] == [64, 64], f"what it declares is what the library has: {parsed['version']}")


# Counters that only this project's congestion control has.
OF_CONNECTIONS = {"packets_spurious", "connections_bbr", "connections_reno", "connections_starting", "connections_at_capacity", "send_rate"}
COUNTERS_OF_CONGESTION = {
    "zig_h3_stats_name": OF_CONNECTIONS,
    "zig_h3_client_stats_name": OF_CONNECTIONS,
    "zig_h3_wt_stats_name": {"packets_spurious", "send_rate", "at_send_capacity", "congestion_control", "congestion_state", "bytes_acknowledged"},
}


def check_stock(log, count):
    """What a build with quic-go as it is has, and what it has not."""
    folder = ROOT / "build/stock"
    must(log, [ROOT / "capi/build.sh"], 600, cwd=ROOT, env={"ZIG_H3_STOCK_QUIC": "1", "OUT": str(folder)})
    stock = folder / "lib/libzigquicheh3.so"
    same(log, count, exported(stock), exported(), "a build with quic-go as it is exports the same")
    for call, own in COUNTERS_OF_CONGESTION.items():
        same(log, count, counters(LIBRARY, call) - counters(stock, call), own, f"{call} names what quic-go as it is does not know")


def counters(path, call):
    """The counters that a library names, asked in a process of its own: two of these libraries have no place in one."""
    program = f"""
import ctypes, sys
name = ctypes.CDLL(sys.argv[1]).{call}
name.restype = ctypes.c_char_p
i = 0
while (text := name(i)) is not None:
    print(text.decode())
    i += 1
"""
    return set(subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True, timeout=60).stdout.split())


# What the Bun package calls each enum, and what it leaves away of its constants' names.
ENUMS = {
    "zig_h3_abi": ("ABI", "ABI_"),
    "zig_h3_error": ("ERROR", "ERR_"),
    "zig_h3_refusal": ("REFUSAL", "REFUSAL_"),
    "zig_h3_event_type": ("EVENT", "EVENT_"),
    "zig_h3_event_flag": ("FLAG", "FLAG_"),
    "zig_h3_log_level": ("LOG_LEVEL", "LOG_"),
    "zig_h3_struct": ("STRUCT", "STRUCT_"),
    "zig_h3_route_flag": ("ROUTE_FLAG", "ROUTE_"),
    "zig_h3_send_flag": ("SEND_FLAG", "SEND_"),
    "zig_h3_wt_stream_kind": ("WT_STREAM", "WT_"),
    "zig_h3_fetch_flag": ("FETCH_FLAG", "FETCH_"),
    "zig_h3_session_flag": ("SESSION_FLAG", "SESSION_"),
    "zig_h3_congestion_control": ("CONGESTION_CONTROL", "CONGESTION_"),
    "zig_h3_wt_open_flag": ("WT_OPEN", "WT_OPEN_"),
}


# The bun:ffi types that pass a C type unharmed. Pointers and 64-bit numbers go as `ptr` (see symbols.ts). Of results, a text that may
# be NULL is a pointer, and the size of a struct fits into 32 bits.
PARAMETERS = {"int32_t": {"i32"}, "uint32_t": {"u32"}, "int64_t": {"i64"}}
RESULTS = PARAMETERS | {"void": {"void"}, "const char *": {"cstring", "ptr"}, "size_t": {"u32"}}


def fits(symbol, result, parameters):
    """Whether an entry of symbols.ts calls a function as it is declared."""
    taken = [given in PARAMETERS.get(parameter, {"ptr"}) for given, parameter in zip(symbol["args"], parameters)]
    return len(symbol["args"]) == len(parameters) and all(taken) and symbol["returns"] in RESULTS.get(result, {"ptr"})


def check_package(log, count):
    """The symbol table and the layout of bindings/bun are those of the header, name by name."""
    output = subprocess.run([BUN, ROOT / "tests/invariants/abi/tables.ts"], capture_output=True, text=True, check=True).stdout
    tables = json.loads(output)
    layout, declared = tables["layout"], header.functions()
    same(log, count, set(tables["symbols"]), set(declared), "symbols.ts lists the header's functions")
    wrong = []
    for name, symbol in tables["symbols"].items():
        result, parameters = declared.get(name, ("", []))
        if not fits(symbol, result, parameters):
            wrong.append(f"{name}: {symbol}, but {result} ({', '.join(parameters)})")
    count.check(log, not wrong, f"symbols.ts declares them as the header does: {wrong}")
    for enum, (table, prefix) in ENUMS.items():
        want = {re.sub(f"^ZIG_H3_({prefix})?", "", name): value for name, value in header.enums()[enum].items()}
        same(log, count, layout[table], want, f"layout.ts {table} is enum {enum}")
    same(log, count, set(ENUMS), set(header.enums()), "every enum of the header was compared")
    for name, struct in header.structs().items():
        table = name.removeprefix("zig_h3_").upper()
        count.check(log, layout[table + "_SIZE"] == struct.size, f"layout.ts {table}_SIZE is the size of {name}")
        if name not in ("zig_h3_event", "zig_h3_datagram"):  # which the package never asks for and never makes
            same(log, count, layout[table], struct.offsets, f"layout.ts {table} has the offsets of {name}")


def run(log, count):
    check_exports(log, count)
    check_structs(log, count)
    check_nodes(log, count)
    check_cdef(log, count)
    check_stock(log, count)
    check_package(log, count)
