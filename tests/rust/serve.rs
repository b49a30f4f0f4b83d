//! HTTP/3 from Rust, without a crate: a thread that blocks in zig_h3_queue_wait. GET /hello/:name greets, POST /upload says what came,
//! until standard input ends; then it stops and prints what it saw.
//!
//!     rustc --edition 2021 -O -L build/lib -l zigquicheh3 serve.rs
use std::{collections::HashMap, ffi::*, io, mem::size_of, mem::zeroed, ptr, slice, thread};

#[repr(C)]
struct Config { size: u32, port: u16, reserved: u16, hostname: *const c_char, files: [*const c_char; 2], options: *const c_char, len: usize }
#[repr(C)]
struct Event { size: u32, kind: u16, flags: u16, object: u64, parent: u64, conn: u64, user_data: u64, code: i32, status: u32,
               meta_len: u32, data_len: u32, aux: u64, meta: *const u8, data: *const u8 }
extern "C" {
    fn zig_h3_struct_size(which: u32) -> usize;
    fn zig_h3_error_name(code: i32) -> *const c_char; fn zig_h3_last_error() -> *const c_char;
    fn zig_h3_queue_new(config: *const c_void, queue: *mut u64) -> i32;
    fn zig_h3_queue_wait(queue: u64, timeout_ms: i32) -> i32; fn zig_h3_next_event(queue: u64, event: *mut Event) -> i32;
    fn zig_h3_server_new(config: *const Config, queue: u64, server: *mut u64) -> i32;
    fn zig_h3_server_route(server: u64, method: *const c_char, path: *const c_char, flags: u32, user_data: u64, id: *mut u32) -> i32;
    fn zig_h3_server_start(server: u64) -> i32; fn zig_h3_server_free(server: u64) -> i32; fn zig_h3_queue_free(queue: u64) -> i32;
    fn zig_h3_server_port(server: u64, port: *mut u16) -> i32; fn zig_h3_server_stop(server: u64, deadline_ms: i32) -> i32;
    fn zig_h3_request_consumed(request: u64, n: u64) -> i32;
    fn zig_h3_response_send(request: u64, status: u32, list: *const u8, list_len: usize, body: *const u8, len: usize, flags: u32) -> i32;
}
// Types of events and a flag of theirs, results, and what tells the two routes apart.
const REQUEST: u16 = 1; const BODY: u16 = 2; const BODY_END: u16 = 3; const WRITABLE: u16 = 4; const STREAM_CLOSED: u16 = 5;
const SERVER_STOPPED: u16 = 9; const END: u16 = 1; const STALE_HANDLE: i32 = -3; const WOULD_BLOCK: i32 = -425; const HELLO: u64 = 1; const UPLOAD: u64 = 2;

unsafe fn must(code: i32) -> i32 {
    if code >= 0 { code } else { panic!("{:?}: {:?}", CStr::from_ptr(zig_h3_error_name(code)), CStr::from_ptr(zig_h3_last_error())) }
}
unsafe fn bytes<'a>(at: *const u8, len: u32) -> &'a [u8] { if len == 0 { &[] } else { slice::from_raw_parts(at, len as usize) } }
fn field<'a>(list: &'a [u8], name: &[u8]) -> &'a [u8] { // of a packed header list
    let value = 6 + u16::from_ne_bytes([list[0], list[1]]) as usize;
    let end = value + u32::from_ne_bytes([list[2], list[3], list[4], list[5]]) as usize;
    if &list[6..value] == name { &list[value..end] } else { field(&list[end..], name) }
}
unsafe fn answer(request: u64, body: String, refused: &mut HashMap<u64, String>) { // which is kept for its WRITABLE if there is no room
    let code = zig_h3_response_send(request, 200, ptr::null(), 0, body.as_ptr(), body.len(), 0);
    if code == WOULD_BLOCK { refused.insert(request, body); } else if code != STALE_HANDLE { must(code); } // stale: its peer has gone
}

fn main() { unsafe {
    assert_eq!((zig_h3_struct_size(2), zig_h3_struct_size(4)), (size_of::<Event>(), size_of::<Config>()));
    let (mut queue, mut server, mut port, mut event): (u64, u64, u16, Event) = zeroed();
    must(zig_h3_queue_new(ptr::null(), &mut queue));
    must(zig_h3_server_new(&Config { size: size_of::<Config>() as u32, hostname: c"127.0.0.1".as_ptr(), ..zeroed() }, queue, &mut server));
    must(zig_h3_server_route(server, c"GET".as_ptr(), c"/hello/:name".as_ptr(), 0, HELLO, ptr::null_mut()));
    must(zig_h3_server_route(server, c"POST".as_ptr(), c"/upload".as_ptr(), 0, UPLOAD, ptr::null_mut()));
    must(zig_h3_server_start(server));
    must(zig_h3_server_port(server, &mut port));
    println!("ready {port}");
    thread::spawn(move || { // any call may be made from any thread, but for those that drain
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        must(zig_h3_server_stop(server, 5000))
    });
    // Events by type; by their request what came of uploads, and answers that were refused.
    let (mut seen, mut uploads, mut refused) = (vec![0; 1 << 16], HashMap::new(), HashMap::<u64, String>::new());
    while seen[SERVER_STOPPED as usize] == 0 {
        must(zig_h3_queue_wait(queue, -1));
        while must(zig_h3_next_event(queue, &mut event)) == 1 {
            let (kind, request, data) = (event.kind, event.object, bytes(event.data, event.data_len));
            seen[kind as usize] += 1;
            if kind == STREAM_CLOSED { (uploads.remove(&request), refused.remove(&request)); }
            if kind == WRITABLE { if let Some(body) = refused.remove(&request) { answer(request, body, &mut refused); } continue }
            if kind == REQUEST && event.user_data == UPLOAD { uploads.insert(request, (0, 0)); }
            if kind == REQUEST && event.user_data == HELLO {
                let name = &field(bytes(event.meta, event.meta_len), b":path")["/hello/".len()..];
                answer(request, format!("hello {}", String::from_utf8_lossy(name)), &mut refused);
            }
            let Some((length, sum)) = uploads.get_mut(&request) else { continue };
            (*length, *sum) = (*length + data.len(), data.iter().fold(*sum, |sum, byte| sum + *byte as u64));
            if kind == BODY { zig_h3_request_consumed(request, data.len() as u64); } // lets the peer send more
            if kind == BODY_END || event.flags & END != 0 { answer(request, format!("{length} bytes, sum {sum}"), &mut refused); }
        }
    }
    (must(zig_h3_server_free(server)), must(zig_h3_queue_free(queue)));
    println!("stopped: {} requests, {} ended, {} connections, {} closed", seen[1], seen[5], seen[6], seen[7]);
} }
