"""What was passed and what failed, from the reports of the tools that ran."""

import json
import re
import xml.etree.ElementTree as xml
from dataclasses import dataclass

from .process import summary


@dataclass
class Count:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def check(self, log, holds, what):
        """Counts one check, and says so in the log when it does not hold."""
        if holds:
            self.passed += 1
        else:
            self.failed += 1
            log.line(f"not so: {what}")


def of_program(log, code, output):
    """A program that prints "N passed, N failed": an exit code that contradicts it, its absence, or that nothing ran is a failure of its own."""
    found = summary(output)
    if found is None:
        log.line(f'no line "N passed, N failed"; exit code {code}')
        return Count(failed=1)
    count = Count(*found)
    if code != 0 and count.failed == 0:
        log.line(f"exit code {code} although nothing failed")
        count.failed += 1
    if count.passed + count.failed == 0:
        log.line("it checked nothing")
        count.failed += 1
    return count


def of_go_test(log, code, output):
    """go test -json: each test and subtest counts; a package that fails outside a test counts once. Only what failed is logged."""
    count, said, failures, begun = Count(), {}, [], {}
    for line in output.splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            log.line(line)
            continue
        key = (event.get("Package", event.get("ImportPath", "")), event.get("Test", ""))
        action = event["Action"]
        if action == "run":
            begun[key] = True
        elif action in ("pass", "fail", "skip"):
            begun.pop(key, None)
        if action in ("output", "build-output"):
            said.setdefault(key, []).append(event["Output"])
        elif action in ("fail", "build-fail"):
            failures.append(key)
            count.failed += bool(key[1]) or action == "build-fail"
        elif action == "pass":
            count.passed += bool(key[1])
        elif action == "skip":
            count.skipped += bool(key[1])
        if action in ("pass", "fail") and not key[1]:
            log.line(f"{action} {key[0]} {event.get('Elapsed', 0):.1f} s")
    for key in begun:  # it never came to an end
        failures.append(key)
        count.failed += 1
    for key in failures:
        log.line(f"--- {' '.join(key)}")
        log.write("".join(said.get(key, [])))
    if code != 0 and count.failed == 0:
        log.line(f"go test ended with exit code {code} outside of a test")
        for key, text in said.items():
            if not key[1]:
                log.write("".join(text))
        count.failed = 1
    return count


def of_junit(log, code, path):
    """A JUnit report, as bun test writes it."""
    count = Count()
    if path.exists():
        for case in xml.parse(path).iter("testcase"):
            if case.find("failure") is not None or case.find("error") is not None:
                count.failed += 1
            elif case.find("skipped") is not None:
                count.skipped += 1
            else:
                count.passed += 1
    if code != 0 and count.failed == 0:
        log.line(f"exit code {code} although no test failed")
        count.failed = 1
    return count


def of_cargo_test(log, code, output):
    """cargo test prints a line for each program that has tests."""
    count = Count()
    for passed, failed, skipped in re.findall(r"^test result: .*?(\d+) passed; (\d+) failed; (\d+) ignored", output, re.MULTILINE):
        count.add(Count(int(passed), int(failed), int(skipped)))
    if code != 0 and count.failed == 0:
        log.line(f"exit code {code} although no test failed")
        count.failed = 1
    return count
