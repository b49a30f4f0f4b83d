"""A Python program that fetches and opens a WebTransport session by polling: ctypes and a selector, as serve.py.

    client.py LIBRARY

Its server is the library's as well, in the same queue: GET /hello, POST /echo, sessions at /wt whose streams and datagrams are echoed. It
prints "N passed, N failed" at the end.
"""

import ctypes
import json
import os
import selectors
import struct
import sys

from serve import Event, H3Error, Library, ServerConfig, i32, pack, size_t, text, u16, u32, u64, unpack

BUFFERED, WEBTRANSPORT, END = 0x1, 0x4, 0x1
REQUEST, BODY, FATAL = 1, 2, 12
SESSION_REQUEST, SESSION_OPENED, SESSION_CLOSED, SESSION_DATAGRAM, STREAM_DATA = 15, 16, 18, 19, 21
RESPONSE, FETCH_DONE, CLIENT_CLOSED = 28, 29, 30
STALE_HANDLE = -3
HEADERS = pack([(b"x-from", b"python")])
SILENCE = 30  # seconds without an event after which the test gives up


class ClientConfig(ctypes.Structure):
    _fields_ = [("size", u32), ("reserved", u32), ("options", text), ("options_len", size_t)]


class FetchConfig(ctypes.Structure):
    _fields_ = [
        ("size", u32), ("flags", u32), ("method", text), ("url", text), ("url_len", size_t), ("headers", text), ("headers_len", size_t),
        ("body", text), ("body_len", size_t), ("collect", u64), ("response_timeout_ms", i32), ("request_timeout_ms", i32), ("user_data", u64),
    ]


class SessionConfig(ctypes.Structure):
    _fields_ = [
        ("size", u32), ("flags", u32), ("url", text), ("url_len", size_t), ("headers", text), ("headers_len", size_t), ("protocols", text),
        ("protocols_len", size_t), ("user_data", u64),
    ]


SIGNATURES = {
    "client_new": [ctypes.POINTER(ClientConfig), u64, ctypes.POINTER(u64)],
    "client_free": [u64],
    "client_close": [u64, i32],
    "client_fetch": [u64, ctypes.POINTER(FetchConfig), ctypes.POINTER(u64)],
    "client_open_webtransport": [u64, ctypes.POINTER(SessionConfig), ctypes.POINTER(u64)],
    "request_write": [u64, text, size_t, ctypes.POINTER(size_t)],
    "request_end": [u64, text, size_t],
    "request_consumed": [u64, u64],
    "wt_accept": [u64, text, text, size_t],
    "wt_close": [u64, u32, text, size_t],
    "wt_open_stream": [u64, u32, u32, ctypes.POINTER(u64)],
    "wt_stream_write": [u64, text, size_t, ctypes.POINTER(size_t)],
    "wt_stream_end": [u64],
    "wt_stream_consumed": [u64, u64],
    "wt_send_datagram": [u64, text, size_t, u32, u32],
}


class Host:
    """A server and a client in one queue, and what came of what was asked for, by handle."""

    def __init__(self, library):
        self.h3 = library
        for name, arguments in SIGNATURES.items():
            function = getattr(library.c, "zig_h3_" + name)
            function.argtypes, function.restype = arguments, i32
            setattr(library, name, library.checked("zig_h3_" + name, function))
        self.queue, self.server, self.client, port, fd = u64(), u64(), u64(), u16(), i32()
        library.queue_new(None, self.queue)
        library.server_new(ServerConfig(size=ctypes.sizeof(ServerConfig), hostname=b"127.0.0.1"), self.queue, self.server)
        library.server_route(self.server, b"GET", b"/hello", 0, 1, None)
        library.server_route(self.server, b"POST", b"/echo", BUFFERED, 2, None)
        library.server_route(self.server, None, b"/wt", WEBTRANSPORT, 3, None)
        library.server_start(self.server)
        library.server_port(self.server, port)
        digest = ctypes.create_string_buffer(32)
        library.server_certificate_hash(self.server, digest)
        options = json.dumps({"certificate_hashes": [digest.raw.hex()]}).encode()
        library.client_new(ClientConfig(ctypes.sizeof(ClientConfig), 0, options, len(options)), self.queue, self.client)
        self.origin = b"https://127.0.0.1:%d" % port.value
        library.queue_fd(self.queue, fd)
        self.fd = fd.value
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.fd, selectors.EVENT_READ)
        self.bodies, self.heads, self.ends, self.got, self.far_sessions = {}, {}, {}, [], set()

    def fetch(self, method, path, body=b"", flags=END):
        url, handle = self.origin + path, u64()
        config = FetchConfig(size=ctypes.sizeof(FetchConfig), flags=flags, method=method, url=url, url_len=len(url), body=body, body_len=len(body))
        self.h3.client_fetch(self.client, config, handle)
        self.bodies[handle.value] = b""
        return handle.value

    def session(self, path):
        url, handle = self.origin + path, u64()
        config = SessionConfig(size=ctypes.sizeof(SessionConfig), url=url, url_len=len(url), user_data=5)
        self.h3.client_open_webtransport(self.client, config, handle)
        return handle.value

    def take(self, event):
        meta = ctypes.string_at(event.meta, event.meta_len) if event.meta_len else b""
        data = ctypes.string_at(event.data, event.data_len) if event.data_len else b""
        mine = event.object in self.bodies
        if event.type == FATAL:
            raise H3Error("fatal: " + data.decode())
        if event.type == REQUEST:
            body = b"hello" if event.user_data == 1 else data
            self.h3.response_send(event.object, 200, HEADERS, len(HEADERS), body, len(body), 0)
        elif event.type == RESPONSE:
            self.heads[event.object] = (event.status, dict(unpack(meta)))
            self.bodies[event.object] += data
        elif event.type == BODY and mine:
            self.bodies[event.object] += data
            self.h3.c.zig_h3_request_consumed(u64(event.object), u64(len(data)))  # stale where its end is in the queue
        elif event.type in (FETCH_DONE, SESSION_CLOSED, CLIENT_CLOSED):
            self.ends[event.object] = event.code
        elif event.type == SESSION_REQUEST:
            self.far_sessions.add(event.object)
            self.h3.wt_accept(event.object, None, None, 0)
        elif event.type == SESSION_OPENED:
            self.heads[event.object] = dict(unpack(meta))
        elif event.type == SESSION_DATAGRAM:
            if event.object in self.far_sessions:
                self.h3.wt_send_datagram(event.object, data, len(data), 0, 0)
            else:
                self.got.append(data)
        elif event.type == STREAM_DATA:
            if event.parent in self.far_sessions:
                self.h3.wt_stream_write(event.object, data, len(data), size_t())
                if event.flags & END:
                    self.h3.wt_stream_end(event.object)
            else:
                self.bodies[event.object] = self.bodies.get(event.object, b"") + data
                if event.flags & END:
                    self.ends[event.object] = 0
            self.h3.c.zig_h3_wt_stream_consumed(event.object, len(data))  # likewise

    def run_until(self, reached):
        """Drain, arm, sleep, until reached() is true."""
        event = Event()
        while True:
            while self.h3.next_event(self.queue, event):
                self.take(event)
            if reached():
                return
            if self.h3.queue_arm(self.queue) == 0:
                if not self.selector.select(SILENCE):
                    raise H3Error(f"no event for {SILENCE} seconds; ends are {self.ends}")
                os.read(self.fd, 8)


def main(path):
    library = Library(path)
    host = Host(library)
    checks = []

    get, post = host.fetch(b"GET", b"/hello"), host.fetch(b"POST", b"/echo", b"whole")
    upload = host.fetch(b"POST", b"/echo", b"one ", 0)
    library.request_write(upload, b"two ", 4, size_t())
    library.request_end(upload, b"three", 5)
    host.run_until(lambda: all(h in host.ends for h in (get, post, upload)))
    checks += [
        ("a GET", (host.heads[get][0], host.bodies[get], host.ends[get]), (200, b"hello", 0)),
        ("a field of its response", host.heads[get][1].get(b"x-from"), b"python"),
        ("a POST", (host.bodies[post], host.ends[post]), (b"whole", 0)),
        ("a POST in parts", (host.bodies[upload], host.ends[upload]), (b"one two three", 0)),
    ]

    session, stream = host.session(b"/wt"), u64()
    host.run_until(lambda: session in host.heads)
    library.wt_open_stream(session, 0, 0, stream)
    library.wt_stream_write(stream, b"over a stream", 13, size_t())
    library.wt_stream_end(stream)
    host.run_until(lambda: stream.value in host.ends)
    library.wt_send_datagram(session, b"in a datagram", 13, 0, 0)
    host.run_until(lambda: host.got)
    library.wt_close(session, 3, b"done", 4)
    host.run_until(lambda: session in host.ends)
    checks += [
        ("a stream's echo", host.bodies[stream.value], b"over a stream"),
        ("a datagram's echo", host.got, [b"in a datagram"]),
        ("the end of a session", host.ends[session], 0),
    ]

    library.client_close(host.client, 5000)
    host.run_until(lambda: host.client.value in host.ends)
    library.queue_free(host.queue)
    checks += [
        ("the end of the client", host.ends[host.client.value], 0),
        ("a free behind it", library.c.zig_h3_client_free(host.client), STALE_HANDLE),
        ("a second free of the queue", library.c.zig_h3_queue_free(host.queue), STALE_HANDLE),
    ]
    failed = 0
    for what, got, want in checks:
        if got != want:
            failed += 1
            print(f"{what}: {got}, not {want}")
    print(f"{len(checks) - failed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
