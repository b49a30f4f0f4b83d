-- A client in LuaJIT: it fetches and opens a WebTransport session, waiting by poll(2) on the queue's descriptor, no thread and no callback.
--
--     luajit client.lua LIBRARY HEADER
--
-- HEADER is zig_h3.cdef.h. Its server is the library's as well, in the same queue: GET /hello, POST /echo, sessions at /wt whose streams and
-- datagrams are echoed. It prints "N passed, N failed" at the end.
local ffi, bit = require "ffi", require "bit"

ffi.cdef(assert(io.open(arg[2])):read "*a")
ffi.cdef "struct pollfd { int fd; short events, revents; }; int poll(struct pollfd *, unsigned long, int); long read(int, void *, size_t); int close(int);"

local h3 = ffi.load(arg[1])
assert(h3.zig_h3_abi_version() == h3.ZIG_H3_ABI_VERSION and h3.zig_h3_abi_minor() >= h3.ZIG_H3_ABI_MINOR, "the library is not this header's")
local function must(code)
  if code < 0 then error(ffi.string(h3.zig_h3_error_name(code)) .. ": " .. ffi.string(h3.zig_h3_last_error()), 2) end
  return code
end
local SILENCE = 30000 -- milliseconds without an event after which the test gives up
local HELLO, ECHO, WT = 1, 2, 3
local out, taken = ffi.new "zig_h3_handle[1]", ffi.new "size_t[1]"
local function made(code) must(code) return tonumber(out[0]) end -- two cdata of the same handle are two keys of a table

local queue = made(h3.zig_h3_queue_new(nil, out))
local server = made(h3.zig_h3_server_new(ffi.new("zig_h3_server_config", { size = ffi.sizeof "zig_h3_server_config", hostname = "127.0.0.1" }), queue, out))
must(h3.zig_h3_server_route(server, "GET", "/hello", 0, HELLO, nil))
must(h3.zig_h3_server_route(server, "POST", "/echo", h3.ZIG_H3_ROUTE_BUFFERED, ECHO, nil))
must(h3.zig_h3_server_route(server, nil, "/wt", h3.ZIG_H3_ROUTE_WEBTRANSPORT, WT, nil))
must(h3.zig_h3_server_start(server))
local port, digest = ffi.new "uint16_t[1]", ffi.new "uint8_t[32]"
must(h3.zig_h3_server_port(server, port))
must(h3.zig_h3_server_certificate_hash(server, digest))
local origin = "https://127.0.0.1:" .. port[0]

-- A client that believes this one certificate.
local hex = ffi.string(digest, 32):gsub(".", function(c) return ("%02x"):format(c:byte()) end)
local options = ('{"certificate_hashes": ["%s"]}'):format(hex)
local config = ffi.new("zig_h3_client_config", { size = ffi.sizeof "zig_h3_client_config", options = options, options_len = #options })
local client = made(h3.zig_h3_client_new(config, queue, out))

-- Packed header lists, written and read.
local function pack(name, value)
  local lengths = ffi.new("struct { uint16_t name; uint32_t value; } __attribute__((packed))", #name, #value)
  return ffi.string(lengths, 6) .. name .. value
end
local function unpack(list, len)
  local fields, name_len, value_len, at = {}, ffi.new "uint16_t[1]", ffi.new "uint32_t[1]", 0
  while at < len do
    ffi.copy(name_len, list + at, 2) ffi.copy(value_len, list + at + 2, 4)
    fields[ffi.string(list + at + 6, name_len[0])] = ffi.string(list + at + 6 + name_len[0], value_len[0])
    at = at + 6 + name_len[0] + value_len[0]
  end
  return fields
end

-- What came of what was asked for, by handle.
local bodies, heads, ends, got, far_sessions = {}, {}, {}, {}, {}

local function fetch(method, path, body, flags)
  local url, headers = origin .. path, pack("x-from", "luajit")
  local asked = ffi.new("zig_h3_fetch_config", {
    size = ffi.sizeof "zig_h3_fetch_config", flags = flags, method = method, url = url, url_len = #url, headers = headers, headers_len = #headers,
    body = body, body_len = #body,
  })
  local handle = made(h3.zig_h3_client_fetch(client, asked, out))
  bodies[handle] = ""
  return handle
end

local function open_session(path)
  local url = origin .. path
  return made(h3.zig_h3_client_open_webtransport(client, ffi.new("zig_h3_session_config", { size = ffi.sizeof "zig_h3_session_config", url = url, url_len = #url }), out))
end

local function ended(event) return bit.band(event.flags, h3.ZIG_H3_FLAG_END) ~= 0 end

local function bytes(at, len) return len > 0 and ffi.string(at, len) or "" end

local take = {
  [h3.ZIG_H3_EVENT_REQUEST] = function(event, request, data)
    local from, answer = unpack(event.meta, event.meta_len)["x-from"] or "", event.user_data == HELLO and "hello" or data
    local headers = pack("x-to", from)
    must(h3.zig_h3_response_send(request, 200, headers, #headers, answer, #answer, 0))
  end,
  [h3.ZIG_H3_EVENT_RESPONSE] = function(event, handle, data)
    heads[handle] = { status = event.status, fields = unpack(event.meta, event.meta_len) }
    bodies[handle] = bodies[handle] .. data
  end,
  [h3.ZIG_H3_EVENT_BODY] = function(event, handle, data)
    if not bodies[handle] then return end
    bodies[handle] = bodies[handle] .. data
    h3.zig_h3_request_consumed(handle, #data) -- stale where its end is in the queue
  end,
  [h3.ZIG_H3_EVENT_SESSION_REQUEST] = function(event, session)
    far_sessions[session] = true
    must(h3.zig_h3_wt_accept(session, nil, nil, 0))
  end,
  [h3.ZIG_H3_EVENT_SESSION_OPENED] = function(event, session) heads[session] = {} end,
  [h3.ZIG_H3_EVENT_SESSION_DATAGRAM] = function(event, session, data)
    if far_sessions[session] then must(h3.zig_h3_wt_send_datagram(session, data, #data, 0, 0)) else got[#got + 1] = data end
  end,
  [h3.ZIG_H3_EVENT_STREAM_DATA] = function(event, stream, data)
    h3.zig_h3_wt_stream_consumed(stream, #data)
    if far_sessions[tonumber(event.parent)] then
      must(h3.zig_h3_wt_stream_write(stream, data, #data, taken))
      if ended(event) then must(h3.zig_h3_wt_stream_end(stream)) end
    else
      bodies[stream] = (bodies[stream] or "") .. data
      if ended(event) then ends[stream] = 0 end
    end
  end,
  [h3.ZIG_H3_EVENT_FATAL] = function(event, _, data) error("fatal: " .. data) end,
}
for _, kind in ipairs { h3.ZIG_H3_EVENT_FETCH_DONE, h3.ZIG_H3_EVENT_SESSION_CLOSED, h3.ZIG_H3_EVENT_CLIENT_CLOSED } do
  take[kind] = function(event, handle) ends[handle] = event.code end
end

local fd = ffi.new "int32_t[1]"
must(h3.zig_h3_queue_fd(queue, fd))
local event, count, fds = ffi.new "zig_h3_event", ffi.new "char[8]", ffi.new("struct pollfd[1]", { { fd[0], 1 } })

-- Drain, arm, sleep, until reached() is true. again(), if it is given, is called ten times a second: what may be lost is sent once more.
local function run_until(reached, again)
  local silent = 0
  while true do
    while must(h3.zig_h3_next_event(queue, event)) == 1 do
      local kind = take[event.type]
      if kind then kind(event, tonumber(event.object), bytes(event.data, event.data_len)) end
    end
    if reached() then return end
    if must(h3.zig_h3_queue_arm(queue)) == 0 then
      local woken = ffi.C.poll(fds, 1, 100) ~= 0
      silent = woken and 0 or silent + 100
      if silent > SILENCE then error "no event came for half a minute" end
      ffi.C.read(fd[0], count, 8) -- does not block
      if again and not woken then again() end
    end
  end
end

local passed, failed = 0, 0
local function same(what, have, want)
  if have == want then passed = passed + 1 return end
  failed = failed + 1
  print(("%s: %s, not %s"):format(what, tostring(have), tostring(want)))
end

local get, post = fetch("GET", "/hello", "", h3.ZIG_H3_FETCH_END), fetch("POST", "/echo", "whole", h3.ZIG_H3_FETCH_END)
local upload = fetch("POST", "/echo", "one ", 0) -- the begin of a body
must(h3.zig_h3_request_write(upload, "two ", 4, taken))
must(h3.zig_h3_request_end(upload, "three", 5))
run_until(function() return ends[get] and ends[post] and ends[upload] end)
same("a GET's status", heads[get].status, 200)
same("a GET's body", bodies[get], "hello")
same("a field of its own that came back", heads[get].fields["x-to"], "luajit")
same("a POST's body", bodies[post], "whole")
same("a POST in parts", bodies[upload], "one two three")
same("how they ended", ends[get] + ends[post] + ends[upload], 0)
local wrong = fetch("DELETE", "/hello", "", h3.ZIG_H3_FETCH_END)
run_until(function() return ends[wrong] end)
same("the status of a method that the path does not have", heads[wrong].status, 405)

local session = open_session "/wt"
run_until(function() return heads[session] end)
local stream = made(h3.zig_h3_wt_open_stream(session, h3.ZIG_H3_WT_BIDIRECTIONAL, 0, out))
must(h3.zig_h3_wt_stream_write(stream, "over a stream", 13, taken))
must(h3.zig_h3_wt_stream_end(stream))
run_until(function() return ends[stream] end)
same("a stream's echo", bodies[stream], "over a stream")
local function send() must(h3.zig_h3_wt_send_datagram(session, "in a datagram", 13, 0, 0)) end
send()
run_until(function() return got[1] end, send)
same("a datagram's echo", got[1], "in a datagram")
must(h3.zig_h3_wt_close(session, 3, "done", 4))
run_until(function() return ends[session] end)
same("the end of a session", ends[session], 0)

must(h3.zig_h3_client_close(client, 5000))
run_until(function() return ends[client] end)
same("the end of the client", ends[client], 0)
same("a free behind it", h3.zig_h3_client_free(client), h3.ZIG_H3_ERR_STALE_HANDLE)
must(h3.zig_h3_queue_free(queue))
same("a second free of the queue", h3.zig_h3_queue_free(queue), h3.ZIG_H3_ERR_STALE_HANDLE)
ffi.C.close(fd[0]) -- ours
print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0 and 0 or 1)
