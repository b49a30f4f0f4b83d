"""A Python program that serves HTTP/3 by polling: ctypes, the queue's descriptor in a selector, and no thread of its own.

    serve.py LIBRARY [REQUESTS]

It arms the queue, sleeps in selectors.select(), drains with zig_h3_next_event(), answers REQUESTS requests (10,000 by default),
stops, and checks that nothing was lost. It prints "ready PORT CERTIFICATE-HASH" once it serves, and "N passed, N failed" at the
end. tests/peers/client is its client: GET /path/N is answered in one call, GET /parts/N in parts, POST /echo with its body.
"""

import collections
import ctypes
import os
import selectors
import struct
import sys

ROUTE_PATH, ROUTE_PARTS, ROUTE_ECHO = 1, 2, 3
ROUTE_BUFFERED = 0x1
SEND_FORGET = 0x1
REQUEST, STREAM_CLOSED, CONN_OPENED, CONN_CLOSED, SERVER_STOPPED, FATAL = 1, 5, 6, 7, 9, 12
STALE_HANDLE = -3
SILENCE = 60  # seconds without an event after which the test gives up

u8, u16, u32, u64, i32 = ctypes.c_uint8, ctypes.c_uint16, ctypes.c_uint32, ctypes.c_uint64, ctypes.c_int32
size_t, pointer, text = ctypes.c_size_t, ctypes.c_void_p, ctypes.c_char_p


class Event(ctypes.Structure):
    _fields_ = [
        ("size", u32), ("type", u16), ("flags", u16), ("object", u64), ("parent", u64), ("conn", u64), ("user_data", u64),
        ("code", i32), ("status", u32), ("meta_len", u32), ("data_len", u32), ("aux", u64), ("meta", pointer), ("data", pointer),
    ]


class ServerConfig(ctypes.Structure):
    _fields_ = [
        ("size", u32), ("port", u16), ("reserved", u16), ("hostname", text), ("cert_path", text), ("key_path", text),
        ("options", text), ("options_len", size_t),
    ]


SIGNATURES = {
    "zig_h3_queue_new": [pointer, ctypes.POINTER(u64)],
    "zig_h3_queue_free": [u64],
    "zig_h3_queue_fd": [u64, ctypes.POINTER(i32)],
    "zig_h3_queue_arm": [u64],
    "zig_h3_next_event": [u64, ctypes.POINTER(Event)],
    "zig_h3_server_new": [ctypes.POINTER(ServerConfig), u64, ctypes.POINTER(u64)],
    "zig_h3_server_free": [u64],
    "zig_h3_server_route": [u64, text, text, u32, u64, ctypes.POINTER(u32)],
    "zig_h3_server_start": [u64],
    "zig_h3_server_stop": [u64, i32],
    "zig_h3_server_port": [u64, ctypes.POINTER(u16)],
    "zig_h3_server_certificate_hash": [u64, pointer],
    "zig_h3_response_send": [u64, u32, text, size_t, text, size_t, u32],
    "zig_h3_response_headers": [u64, text, size_t],
    "zig_h3_response_write": [u64, text, size_t, ctypes.POINTER(size_t)],
    "zig_h3_response_end": [u64, text, size_t],
}


class H3Error(Exception):
    """A call that failed, with the name of its result and the library's words."""


class Library:
    """The calls of libzigquicheh3, without the prefix; negative results become exceptions."""

    def __init__(self, path):
        self.c = ctypes.CDLL(path)
        self.c.zig_h3_error_name.restype = text
        self.c.zig_h3_last_error.restype = text
        for name, arguments in SIGNATURES.items():
            function = getattr(self.c, name)
            function.argtypes, function.restype = arguments, i32
            setattr(self, name.removeprefix("zig_h3_"), self.checked(name, function))

    def checked(self, name, function):
        def call(*arguments):
            result = function(*arguments)
            if result < 0:
                cause = self.c.zig_h3_last_error().decode()
                raise H3Error(f"{name}: {self.c.zig_h3_error_name(result).decode()}: {cause}")
            return result

        return call


def pack(fields):
    return b"".join(struct.pack("=HI", len(name), len(value)) + name + value for name, value in fields)


def unpack(block):
    at, fields = 0, []
    while at < len(block):
        name_len, value_len = struct.unpack_from("=HI", block, at)
        at += 6
        fields.append((block[at : at + name_len], block[at + name_len : at + name_len + value_len]))
        at += name_len + value_len
    return fields


class Server:
    """One server, its queue and what was counted while it served."""

    headers = pack([(b"content-type", b"text/plain")])

    def __init__(self, library):
        self.h3 = library
        self.counts = collections.Counter()
        self.queue, self.server = u64(), u64()
        library.queue_new(None, self.queue)
        config = ServerConfig(size=ctypes.sizeof(ServerConfig), hostname=b"127.0.0.1")
        library.server_new(config, self.queue, self.server)
        library.server_route(self.server, b"GET", b"/path/:n", 0, ROUTE_PATH, None)
        library.server_route(self.server, b"GET", b"/parts/:n", 0, ROUTE_PARTS, None)
        library.server_route(self.server, b"POST", b"/echo", ROUTE_BUFFERED, ROUTE_ECHO, None)
        library.server_start(self.server)
        fd = i32()
        library.queue_fd(self.queue, fd)
        self.fd = fd.value
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.fd, selectors.EVENT_READ)

    def announce(self):
        port, digest = u16(), ctypes.create_string_buffer(32)
        self.h3.server_port(self.server, port)
        self.h3.server_certificate_hash(self.server, digest)
        print("ready", port.value, digest.raw.hex(), flush=True)

    def answer(self, event):
        meta = unpack(ctypes.string_at(event.meta, event.meta_len))
        path = dict(meta)[b":path"]
        if event.user_data == ROUTE_PATH:
            self.h3.response_send(event.object, 200, self.headers, len(self.headers), path, len(path), SEND_FORGET)
            return
        self.counts["held"] += 1
        if event.user_data == ROUTE_PARTS:
            half, taken = len(path) // 2, size_t()
            self.h3.response_headers(event.object, self.headers, len(self.headers))
            self.h3.response_write(event.object, path, half, taken)
            if taken.value != half:
                raise H3Error(f"zig_h3_response_write took {taken.value} of {half} bytes")
            self.h3.response_end(event.object, path[half:], len(path) - half)
        else:
            body = ctypes.string_at(event.data, event.data_len) if event.data_len else b""
            self.h3.response_send(event.object, 200, self.headers, len(self.headers), body, len(body), 0)

    def drain(self):
        event = Event()
        while self.h3.next_event(self.queue, event):
            self.counts[event.type] += 1
            if event.type == REQUEST:
                self.answer(event)
            elif event.type == STREAM_CLOSED and event.code:
                self.counts["early"] += 1
            elif event.type == FATAL:
                raise H3Error("fatal: " + ctypes.string_at(event.data, event.data_len).decode())

    def serve_until(self, reached):
        """Drain, arm, sleep, until reached() is true of the counts."""
        while True:
            self.drain()
            if reached(self.counts):
                return
            if self.h3.queue_arm(self.queue) == 0:
                if not self.selector.select(SILENCE):
                    raise H3Error(f"no event for {SILENCE} seconds; counts are {dict(self.counts)}")
                os.read(self.fd, 8)


def main(path, requests):
    library = Library(path)
    server = Server(library)
    server.announce()
    server.serve_until(lambda counts: counts[REQUEST] >= requests)
    server.serve_until(lambda counts: counts[STREAM_CLOSED] >= counts["held"])
    server.serve_until(lambda counts: counts[CONN_CLOSED] >= counts[CONN_OPENED])
    library.server_stop(server.server, 5000)
    server.serve_until(lambda counts: counts[SERVER_STOPPED])
    library.server_free(server.server)
    library.queue_free(server.queue)
    server.selector.close()
    os.close(server.fd)

    counts = server.counts
    checks = [
        ("requests served", counts[REQUEST], requests),
        ("ends of the requests that were not given up", counts[STREAM_CLOSED], counts["held"]),
        ("requests that ended early", counts["early"], 0),
        ("ends of connections", counts[CONN_CLOSED], counts[CONN_OPENED]),
        ("SERVER_STOPPED events", counts[SERVER_STOPPED], 1),
        ("a second free of the server", library.c.zig_h3_server_free(server.server), STALE_HANDLE),
        ("a second free of the queue", library.c.zig_h3_queue_free(server.queue), STALE_HANDLE),
    ]
    failed = 0
    for what, got, want in checks:
        if got != want:
            failed += 1
            print(f"{what}: {got}, not {want}")
    print(f"{len(checks) - failed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 10000))
