"""
Tries a consumer in another runtime from outside: consumer.py COMMAND...

COMMAND is a server that prints "ready PORT", answers GET /hello/NAME with "hello NAME" and POST /upload with "N bytes, sum S" (of the
bytes' values), stops when its standard input ends, and says then "stopped: N requests, N ended, N connections, N closed". It prints
"N passed, N failed".
"""

import asyncio
import sys
from typing import Any, Awaitable

from connection import Connection
from exchange import Exchange

# More than the server lets a request send ahead of what its consumer has taken (receive_window): credit has to be given.
LARGE = 3 << 20
BURST = 100


class Check:
    passed = failed = 0

    def same(self, what: str, got: Any, want: Any) -> None:
        if got == want:
            self.passed += 1
        else:
            self.failed += 1
            print(f"{what}: {got!r}, not {want!r}")


def fields(method: str, path: str) -> list[tuple[bytes, bytes]]:
    pseudo = [(":method", method), (":scheme", "https"), (":authority", "localhost"), (":path", path)]
    return [(name.encode(), value.encode()) for name, value in pseudo]


async def response(connection: Connection, exchange: Exchange) -> tuple[int | None, str, bool]:
    await connection.wire.until(lambda: exchange.over() or connection.wire.end is not None, 20, f"the response on {exchange.stream_id}")
    return exchange.status, exchange.body.decode(), exchange.ended


async def get(connection: Connection, path: str) -> tuple[int | None, str, bool]:
    return await response(connection, connection.request(fields("GET", path), True, None))


def summed(n: int) -> str:
    """What the answer to a body of n bytes is, of which the byte at i is i % 256."""
    return f"{n} bytes, sum {sum(range(256)) * (n // 256) + sum(range(n % 256))}"


async def requests(port: int, check: Check) -> tuple[Connection, int]:
    """Returns a connection that is still open, and how many requests the consumer has to have seen, on two connections."""
    connection = await Connection.open("127.0.0.1", port, {})
    check.same("GET", await get(connection, "/hello/you"), (200, "hello you", True))
    check.same("a path that no route has", (await get(connection, "/nothing"))[0], 404)

    for n in (0, 1, 1000, LARGE):
        upload = connection.request(fields("POST", "/upload"), False, None)
        await connection.send(upload, [{"mod256": n}], True)
        check.same(f"POST of {n} bytes", await response(connection, upload), (200, summed(n), True))

    # Two at once, each in two parts: what the consumer keeps of each is its own.
    two = [connection.request(fields("POST", "/upload"), False, None) for _ in range(2)]
    for end in (False, True):
        for i, upload in enumerate(two):
            await connection.send(upload, [{"mod256": 256 * (100 + i)}], end)
            check.same("answered before its end", upload.over() and not end, False)
    for i, upload in enumerate(two):
        check.same(f"upload {i} of two at once", await response(connection, upload), (200, summed(512 * (100 + i)), True))

    # One that is given up, when the consumer surely has it, has its end, too.
    given_up = connection.request(fields("POST", "/upload"), False, None)
    await connection.send(given_up, [{"mod256": LARGE}], False)
    await connection.wire.until(lambda: connection.quic.acknowledged(given_up.stream_id) > 2 << 20, 20, "credit")
    connection.quic.reset_stream(given_up.stream_id, 0x10C)
    connection.quic.stop_stream(given_up.stream_id, 0x10C)
    connection.wire.transmit()

    other = await Connection.open("127.0.0.1", port, {})
    names = [(connection if i % 2 else other, f"n{i}") for i in range(BURST)]
    answers = await asyncio.gather(*(get(on, f"/hello/{name}") for on, name in names))
    check.same("a burst on two connections", answers, [(200, f"hello {name}", True) for _, name in names])

    other.wire.quic.close(error_code=0x100)
    other.wire.transmit()
    return connection, 1 + 4 + 2 + 1 + BURST


async def main(command: list[str]) -> int:
    check = Check()
    process = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
    assert process.stdin is not None and process.stdout is not None
    try:
        ready = (await asyncio.wait_for(process.stdout.readline(), 30)).decode().split()
        check.same("the first word", ready[:1], ["ready"])
        connection, made = await asyncio.wait_for(requests(int(ready[1]), check), 60)
        process.stdin.close()
        await connection.wire.until(lambda: connection.wire.end is not None, 20, "the end of the connection")
        end = connection.wire.end or {}
        check.same("end of the connection", (end.get("by"), end.get("code")), ("peer", 0x100))
        said = (await asyncio.wait_for(process.stdout.read(), 20)).decode()
        check.same("what it says", said, f"stopped: {made} requests, {made} ended, 2 connections, 2 closed\n")
        check.same("exit code", await asyncio.wait_for(process.wait(), 20), 0)
    finally:
        if process.returncode is None:
            process.kill()
    print(f"{check.passed} passed, {check.failed} failed")
    return 1 if check.failed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
