-- HTTP/3 from LuaJIT: poll(2) on the queue's descriptor, no thread and no callback. GET /hello/:name greets, POST /upload says what
-- came, until standard input ends; then it stops and prints what it saw.
--
--     luajit serve.lua LIBRARY HEADER
--
-- HEADER is zig_h3.cdef.h: zig_h3.h without what only a C compiler reads.
local ffi, bit = require "ffi", require "bit"

ffi.cdef(assert(io.open(arg[2])):read "*a")
ffi.cdef "struct pollfd { int fd; short events, revents; }; int poll(struct pollfd *, unsigned long, int); long read(int, void *, size_t); int close(int);"

local h3 = ffi.load(arg[1])
assert(h3.zig_h3_abi_version() == h3.ZIG_H3_ABI_VERSION, "the library is not this header's")
local function must(code)
  if code < 0 then error(ffi.string(h3.zig_h3_error_name(code)) .. ": " .. ffi.string(h3.zig_h3_last_error()), 2) end
  return code
end
local HELLO, UPLOAD, out, port, fd = 1, 2, ffi.new "zig_h3_handle[1]", ffi.new "uint16_t[1]", ffi.new "int32_t[1]"
must(h3.zig_h3_queue_new(nil, out))
local queue = tonumber(out[0]) -- handles are below 2^53; as they come, 64-bit cdata, two of the same are two keys of a table
local config = ffi.new("zig_h3_server_config", { size = ffi.sizeof "zig_h3_server_config", hostname = "127.0.0.1" })
must(h3.zig_h3_server_new(config, queue, out))
local server = tonumber(out[0])
must(h3.zig_h3_server_route(server, "GET", "/hello/:name", 0, HELLO, nil))
must(h3.zig_h3_server_route(server, "POST", "/upload", 0, UPLOAD, nil))
must(h3.zig_h3_server_start(server))
must(h3.zig_h3_server_port(server, port))
io.stdout:setvbuf "line"
print("ready " .. port[0])

-- Events by type; by their request what came of uploads, and answers that were refused.
local seen, uploads, refused = setmetatable({}, { __index = function() return 0 end }), {}, {}

local function field(list, name) -- of a packed header list
  local name_len, value_len = ffi.new "uint16_t[1]", ffi.new "uint32_t[1]"
  ffi.copy(name_len, list, 2) ffi.copy(value_len, list + 2, 4)
  local value = list + 6 + name_len[0]
  return ffi.string(list + 6, name_len[0]) == name and ffi.string(value, value_len[0]) or field(value + value_len[0], name)
end

local function answer(request, body)
  local code = h3.zig_h3_response_send(request, 200, nil, 0, body, #body, 0)
  refused[request] = code == h3.ZIG_H3_ERR_WOULD_BLOCK and body or nil -- no room just now: once more at its WRITABLE
  if code ~= h3.ZIG_H3_ERR_STALE_HANDLE and code ~= h3.ZIG_H3_ERR_WOULD_BLOCK then must(code) end -- stale: its peer has gone
end

local function handle(event, request)
  local kind = event.type
  seen[kind] = seen[kind] + 1
  if kind == h3.ZIG_H3_EVENT_REQUEST and event.user_data == HELLO then answer(request, "hello " .. field(event.meta, ":path"):sub(8)) end
  if kind == h3.ZIG_H3_EVENT_REQUEST and event.user_data == UPLOAD then uploads[request] = { bytes = 0, sum = 0 } end
  if kind == h3.ZIG_H3_EVENT_STREAM_CLOSED then uploads[request], refused[request] = nil, nil end
  if kind == h3.ZIG_H3_EVENT_WRITABLE and refused[request] then return answer(request, refused[request]) end
  local upload = uploads[request]
  if not upload then return end
  for i = 0, event.data_len - 1 do upload.sum = upload.sum + event.data[i] end
  upload.bytes = upload.bytes + event.data_len
  if kind == h3.ZIG_H3_EVENT_BODY then h3.zig_h3_request_consumed(request, event.data_len) end -- lets the peer send more
  if kind == h3.ZIG_H3_EVENT_BODY_END or bit.band(event.flags, h3.ZIG_H3_FLAG_END) ~= 0 then
    answer(request, upload.bytes .. " bytes, sum " .. upload.sum)
  end
end

must(h3.zig_h3_queue_fd(queue, fd))
local event, bytes, fds = ffi.new "zig_h3_event", ffi.new "char[512]", ffi.new("struct pollfd[2]", { { fd[0], 1 }, { 0, 1 } })
while seen[h3.ZIG_H3_EVENT_SERVER_STOPPED] == 0 do
  if must(h3.zig_h3_queue_arm(queue)) == 0 and ffi.C.poll(fds, 2, -1) > 0 then
    ffi.C.read(fd[0], bytes, 8) -- does not block
    if fds[1].revents ~= 0 and ffi.C.read(0, bytes, 512) == 0 then
      fds[1].fd = -1 -- which poll passes over
      must(h3.zig_h3_server_stop(server, 5000))
    end
  end
  while must(h3.zig_h3_next_event(queue, event)) == 1 do handle(event, tonumber(event.object)) end
end
must(h3.zig_h3_server_free(server))
must(h3.zig_h3_queue_free(queue))
ffi.C.close(fd[0]) -- ours
print(("stopped: %d requests, %d ended, %d connections, %d closed"):format(seen[1], seen[5], seen[6], seen[7]))
