# HTTP/3 from Ruby with Fiddle, which comes with it: the queue's descriptor in IO.select. GET /hello/:name greets, POST /upload says what
# came, until standard input ends; then it stops and prints what it saw.
#
#     ruby serve.rb LIBRARY
require "fiddle/import"

module H3
  extend Fiddle::Importer
  dlload ARGV.fetch(0)
  %w[error_name(int32_t) last_error()].each { |call| extern "char *zig_h3_#{call}" }
  extern "int32_t zig_h3_queue_new(void *, void *)"
  %w[queue_fd next_event server_port].each { |call| extern "int32_t zig_h3_#{call}(uint64_t, void *)" }
  extern "int32_t zig_h3_server_new(void *, uint64_t, void *)"
  extern "int32_t zig_h3_server_route(uint64_t, void *, void *, uint32_t, uint64_t, void *)"
  %w[server_start server_free queue_arm queue_free].each { |call| extern "int32_t zig_h3_#{call}(uint64_t)" }
  extern "int32_t zig_h3_server_stop(uint64_t, int32_t)"
  extern "int32_t zig_h3_request_consumed(uint64_t, uint64_t)"
  extern "int32_t zig_h3_response_send(uint64_t, uint32_t, void *, size_t, void *, size_t, uint32_t)"
end
REQUEST, BODY, BODY_END, WRITABLE, STREAM_CLOSED, CONN_OPENED, CONN_CLOSED, SERVER_STOPPED = 1, 2, 3, 4, 5, 6, 7, 9
FLAG_END, WOULD_BLOCK, STALE_HANDLE, HELLO, UPLOAD = 1, -425, -3, 1, 2

def must(code) = code >= 0 ? code : raise("#{H3.zig_h3_error_name(code)}: #{H3.zig_h3_last_error}")

def out(format) # what a call writes to the memory that it is given
  memory = "\0" * 8
  must(yield(memory))
  memory.unpack1(format)
end

def field(list, name) # of a packed header list
  name_len, value_len = list.unpack("SL")
  list[6, name_len] == name ? list[6 + name_len, value_len] : field(list[(6 + name_len + value_len)..], name)
end

queue = out("Q") { |memory| H3.zig_h3_queue_new(nil, memory) } # handles are Integers
config = [48, 0, 0, Fiddle::Pointer[hostname = "127.0.0.1"].to_i].pack("LSSQx32") # zig_h3_server_config
server = out("Q") { |memory| H3.zig_h3_server_new(config, queue, memory) }
must(H3.zig_h3_server_route(server, "GET", "/hello/:name", 0, HELLO, nil))
must(H3.zig_h3_server_route(server, "POST", "/upload", 0, UPLOAD, nil))
must(H3.zig_h3_server_start(server))
$stdout.syswrite("ready #{out("S") { |memory| H3.zig_h3_server_port(server, memory) }}\n")

# Events by type; by their request what came of uploads, and answers that were refused.
seen, uploads, refused = Hash.new(0), {}, {}
event = Fiddle::Pointer.malloc(80, Fiddle::RUBY_FREE) # zig_h3_event
answer = lambda do |request, body|
  code = H3.zig_h3_response_send(request, 200, nil, 0, body, body.bytesize, 0)
  refused[request] = body if code == WOULD_BLOCK # no room just now: once more at its WRITABLE
  must(code) unless [WOULD_BLOCK, STALE_HANDLE].include?(code) # stale: its peer has gone
end
handle = lambda do
  _, type, flags, request, _, _, route, _, _, meta_len, data_len, _, meta, data = event[0, 80].unpack("LSSQQQQlLLLQQQ")
  seen[type] += 1
  answer.(request, "hello #{field(Fiddle::Pointer[meta][0, meta_len], ":path").delete_prefix("/hello/")}") if type == REQUEST && route == HELLO
  uploads[request] = { bytes: 0, sum: 0 } if type == REQUEST && route == UPLOAD
  [uploads, refused].each { |of| of.delete(request) } if type == STREAM_CLOSED
  return answer.(request, refused.delete(request)) if type == WRITABLE && refused.key?(request)
  upload = uploads[request] or return
  upload[:bytes] += data_len
  upload[:sum] += Fiddle::Pointer[data][0, data_len].sum(64) # of the bytes
  H3.zig_h3_request_consumed(request, data_len) if type == BODY # lets the peer send more
  answer.(request, "#{upload[:bytes]} bytes, sum #{upload[:sum]}") if type == BODY_END || flags & FLAG_END != 0
end

wakeup = IO.for_fd(out("l") { |memory| H3.zig_h3_queue_fd(queue, memory) }) # ours: IO closes it
inputs = [wakeup, $stdin]
while seen[SERVER_STOPPED].zero?
  if must(H3.zig_h3_queue_arm(queue)).zero? && (ready, = IO.select(inputs))
    wakeup.read_nonblock(8, exception: false)
    at_end = ready.include?($stdin) && $stdin.read_nonblock(512, exception: false).nil?
    must(H3.zig_h3_server_stop(server, 5000)) if at_end && inputs.delete($stdin)
  end
  handle.() while must(H3.zig_h3_next_event(queue, event)) == 1
end
must(H3.zig_h3_server_free(server))
must(H3.zig_h3_queue_free(queue))
wakeup.close
puts "stopped: #{seen[REQUEST]} requests, #{seen[STREAM_CLOSED]} ended, #{seen[CONN_OPENED]} connections, #{seen[CONN_CLOSED]} closed"
