"""A03: the header, what the library exports, its structs and the tables of the Bun package say the same."""

import ctypes
import json
import re
import subprocess

from . import header

ROOT = header.ROOT
LIBRARY = ROOT / "build/lib/libzigquicheh3.so"
BUN = ROOT / "bindings/bun/node_modules/.bin/bun"
STRUCTS = {  # enum zig_h3_struct: the struct that it stands for
    "ZIG_H3_STRUCT_RECORD": "zig_h3_record",
    "ZIG_H3_STRUCT_EVENT": "zig_h3_event",
    "ZIG_H3_STRUCT_QUEUE_CONFIG": "zig_h3_queue_config",
    "ZIG_H3_STRUCT_SERVER_CONFIG": "zig_h3_server_config",
    "ZIG_H3_STRUCT_QUEUE_SPAN": "zig_h3_queue_span",
    "ZIG_H3_STRUCT_DATAGRAM": "zig_h3_datagram",
}


def exported():
    """Symbols that a linker finds in the library. Its version nodes are absolute symbols (A), not names to call."""
    output = subprocess.run(["nm", "-D", "--defined-only", LIBRARY], capture_output=True, text=True, check=True).stdout
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
    version = re.search(r"define\s+ZIG_H3_ABI_VERSION\s+(\d+)u", header.HEADER.read_text(encoding="utf-8"))
    count.check(log, library.zig_h3_abi_version() == int(version[1]), "zig_h3_abi_version gives the header's version")


# What the Bun package calls each enum, and what it leaves away of its constants' names.
ENUMS = {
    "zig_h3_error": ("ERROR", "ERR_"),
    "zig_h3_event_type": ("EVENT", "EVENT_"),
    "zig_h3_event_flag": ("FLAG", "FLAG_"),
    "zig_h3_log_level": ("LOG_LEVEL", "LOG_"),
    "zig_h3_struct": ("STRUCT", "STRUCT_"),
    "zig_h3_route_flag": ("ROUTE_FLAG", "ROUTE_"),
    "zig_h3_send_flag": ("SEND_FLAG", "SEND_"),
    "zig_h3_wt_stream_kind": ("WT_STREAM", "WT_"),
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
    check_package(log, count)
