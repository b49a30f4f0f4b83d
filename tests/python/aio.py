"""
HTTP/3 in asyncio, with ctypes alone: the queue's descriptor is a reader of the loop. GET /hello/:name greets, POST /upload says what
came, until standard input ends; then it stops and prints what it saw.

    aio.py LIBRARY
"""

import asyncio
import collections
import ctypes
import os
import struct
import sys
from ctypes import byref, c_char_p, c_int32, c_size_t, c_uint16, c_uint32, c_uint64, c_void_p

h3 = ctypes.CDLL(sys.argv[1])
h3.zig_h3_error_name.restype = h3.zig_h3_last_error.restype = c_char_p
for name, arguments in {  # without them ctypes cuts 64-bit handles to 32
    "queue_new": [c_void_p, c_void_p], "queue_fd": [c_uint64, c_void_p], "queue_arm": [c_uint64], "queue_free": [c_uint64],
    "next_event": [c_uint64, c_void_p], "server_new": [c_void_p, c_uint64, c_void_p], "server_start": [c_uint64],
    "server_route": [c_uint64, c_char_p, c_char_p, c_uint32, c_uint64, c_void_p], "server_port": [c_uint64, c_void_p],
    "server_stop": [c_uint64, c_int32], "server_free": [c_uint64], "request_consumed": [c_uint64, c_uint64],
    "response_send": [c_uint64, c_uint32, c_void_p, c_size_t, c_char_p, c_size_t, c_uint32],
}.items():
    getattr(h3, f"zig_h3_{name}").argtypes = arguments
REQUEST, BODY, BODY_END, WRITABLE, STREAM_CLOSED, CONN_OPENED, CONN_CLOSED, SERVER_STOPPED = 1, 2, 3, 4, 5, 6, 7, 9
FLAG_END, WOULD_BLOCK, STALE_HANDLE, HELLO, UPLOAD = 1, -425, -3, 1, 2


def must(code):
    if code < 0:
        raise RuntimeError(f"{h3.zig_h3_error_name(code).decode()}: {h3.zig_h3_last_error().decode()}")
    return code


def field(block, name):  # of a packed header list
    name_len, value_len = struct.unpack_from("=HI", block)
    value = 6 + name_len
    return block[value : value + value_len] if block[6:value] == name else field(block[value + value_len :], name)


async def main():
    queue, server, fd, port, event = c_uint64(), c_uint64(), c_int32(), c_uint16(), ctypes.create_string_buffer(80)
    must(h3.zig_h3_queue_new(None, byref(queue)))
    hostname = ctypes.create_string_buffer(b"127.0.0.1")
    must(h3.zig_h3_server_new(struct.pack("=IHHQ32x", 48, 0, 0, ctypes.addressof(hostname)), queue, byref(server)))
    must(h3.zig_h3_server_route(server, b"GET", b"/hello/:name", 0, HELLO, None))
    must(h3.zig_h3_server_route(server, b"POST", b"/upload", 0, UPLOAD, None))
    must(h3.zig_h3_server_start(server))
    must(h3.zig_h3_server_port(server, byref(port)))
    must(h3.zig_h3_queue_fd(queue, byref(fd)))
    print("ready", port.value, flush=True)
    # Events by type; by their request what came of uploads, and answers that were refused.
    seen, uploads, refused, loop, stopped = collections.Counter(), {}, {}, asyncio.get_running_loop(), asyncio.Event()

    def answer(request, body):
        code = h3.zig_h3_response_send(request, 200, None, 0, body, len(body), 0)
        if code == WOULD_BLOCK:
            refused[request] = body  # no room just now: once more at its WRITABLE
        elif code != STALE_HANDLE:  # its peer has gone
            must(code)

    def handle():
        _, kind, flags, request, _, _, route, _, _, meta_len, data_len, _, meta, data = struct.unpack("=IHHQQQQiIIIQQQ", event)
        seen[kind] += 1
        if kind == REQUEST and route == HELLO:
            answer(request, b"hello " + field(ctypes.string_at(meta, meta_len), b":path").removeprefix(b"/hello/"))
        elif kind == REQUEST:
            uploads[request] = [0, 0]
        elif kind == STREAM_CLOSED:
            uploads.pop(request, None), refused.pop(request, None)
        elif kind == WRITABLE and request in refused:
            return answer(request, refused.pop(request))
        if upload := uploads.get(request):
            upload[:] = upload[0] + data_len, upload[1] + sum(ctypes.string_at(data, data_len))
            if kind == BODY:
                h3.zig_h3_request_consumed(request, data_len)  # lets the peer send more
            if kind == BODY_END or flags & FLAG_END:
                answer(request, b"%d bytes, sum %d" % tuple(upload))

    def turn():
        while must(h3.zig_h3_next_event(queue, event)) == 1:
            handle()
        if seen[SERVER_STOPPED]:
            stopped.set()
        elif must(h3.zig_h3_queue_arm(queue)) == 1:  # there are events already
            loop.call_soon(turn)

    def readable():
        os.read(fd.value, 8)
        turn()

    loop.add_reader(fd.value, readable)
    loop.run_in_executor(None, sys.stdin.read).add_done_callback(lambda _: must(h3.zig_h3_server_stop(server, 5000)))
    turn()
    await stopped.wait()
    loop.remove_reader(fd.value)
    os.close(fd.value)  # ours
    must(h3.zig_h3_server_free(server))
    must(h3.zig_h3_queue_free(queue))
    print(f"stopped: {seen[REQUEST]} requests, {seen[STREAM_CLOSED]} ended, {seen[CONN_OPENED]} connections, {seen[CONN_CLOSED]} closed")


asyncio.run(main())
