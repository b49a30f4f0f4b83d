"""What include/zig_h3.h declares: functions, enums, structs. It reads the header's own plain style and fails on what it cannot read."""

import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
HEADER = ROOT / "include" / "zig_h3.h"


@dataclass
class Struct:
    size: int
    offsets: dict  # field: offset
    sizes: dict  # field: size


def text():
    source = re.sub(r"/\*.*?\*/", " ", HEADER.read_text(encoding="utf-8"), flags=re.DOTALL)
    return re.sub(r"//[^\n]*", " ", source)


def functions():
    """Names of all functions, with their parameters' C types in order and the return type."""
    found = {}
    for result, name, parameters in re.findall(r"ZIG_H3_API\s+([^;()]*?)(zig_h3_\w+)\s*\(([^)]*)\)\s*;", text()):
        types = []
        for parameter in " ".join(parameters.split()).split(","):
            if parameter.strip() != "void":
                types.append(re.sub(r"\s*\w+$", "", parameter.strip()))
        found[name] = (" ".join(result.split()), types)
    declared = len(re.findall(r"^\s*ZIG_H3_API\b", text(), flags=re.MULTILINE))
    if declared != len(found):
        raise ValueError(f"{declared} declarations, {len(found)} of them understood")
    return found


def enums():
    """enum name: {constant: value}."""
    found = {}
    for name, body in re.findall(r"enum\s+(zig_h3_\w+)\s*\{(.*?)\}\s*;", text(), flags=re.DOTALL):
        found[name] = {constant: int(value, 0) for constant, value in re.findall(r"(ZIG_H3_\w+)\s*=\s*(-?\w+)", body)}
    return found


def structs():
    """struct name: Struct, as the C compiler lays it out."""
    fields = {}
    for name, body in re.findall(r"typedef\s+struct\s+(zig_h3_\w+)\s*\{(.*?)\}", text(), flags=re.DOTALL):
        fields[name] = re.findall(r"(\w+)\s*;", body)
    lines = [f'#include "{HEADER}"', "#include <stdio.h>", "int main(void) {"]
    for name, members in fields.items():
        lines.append(f'printf("{name} . %zu 0\\n", sizeof({name}));')
        for member in members:
            place = f"offsetof({name}, {member}), sizeof((({name} *)0)->{member})"
            lines.append(f'printf("{name} {member} %zu %zu\\n", {place});')
    lines.append("}\n")
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "layout"
        subprocess.run(["gcc", "-std=c11", "-x", "c", "-", "-o", program], input="\n".join(lines), text=True, check=True)
        output = subprocess.run([program], capture_output=True, text=True, check=True).stdout
    found = {}
    for line in output.splitlines():
        name, member, offset, size = line.split()
        if member == ".":
            found[name] = Struct(int(offset), {}, {})
        else:
            found[name].offsets[member] = int(offset)
            found[name].sizes[member] = int(size)
    return found
