/*
 * zig_h3.h: HTTP/3 for runtimes that poll.
 *
 * libzigquicheh3 runs HTTP/3 servers and clients on threads of its own. What happens there comes to you as events in a queue, which you
 * drain on your own thread; what you answer goes back through calls that check, copy it into a second ring, the submission ring, and
 * return. The library never calls you back, never blocks you on the network, and no thread of yours ever runs anything but the C code
 * behind this header.
 *
 *     zig_h3_handle queue, server;
 *     zig_h3_queue_new(NULL, &queue);
 *     zig_h3_server_new(&config, queue, &server);
 *     zig_h3_server_route(server, "GET", "/hello", 0, 0, NULL);
 *     zig_h3_server_start(server);
 *     while (zig_h3_queue_wait(queue, -1) >= 0)
 *         while (zig_h3_next_event(queue, &event) == 1)
 *             if (event.type == ZIG_H3_EVENT_REQUEST)
 *                 zig_h3_response_send(event.object, 200, NULL, 0, "hello", 5, ZIG_H3_SEND_FORGET);
 *
 * A client's fetches and sessions deliver to a queue likewise: zig_h3_client_new(), zig_h3_client_fetch().
 *
 * Rules that hold for every call
 *
 * Result    0 or a positive number is success; a negative number is one of ZIG_H3_ERR_*, each cause its own. zig_h3_error_name()
 *           gives its name, zig_h3_last_error() the last failure of the calling thread in words.
 * Handles   are numbers below 2^53, never pointers. Zero, garbage, a handle of another kind and one whose object has ended are
 *           told apart from a live one by every call: ZIG_H3_ERR_INVALID_HANDLE, _WRONG_KIND, _STALE_HANDLE.
 * Ownership Inputs are copied before the call returns. Outputs are written to memory of yours. The only borrowed pointers are the
 *           two in zig_h3_event, and those that zig_h3_queue_map() documents. Your memory is read once, and neither read nor written while
 *           another call or the engine would have to wait for it: a page that takes its time holds up the call that it was given to.
 * No room   A call that returns ZIG_H3_ERR_WOULD_BLOCK has taken nothing, and a WRITABLE event of the object that it was made for (the request,
 *           fetch, session, stream or client that is its first argument) says when it can be made again: one event for all that were refused before it. Only
 *           the object's end comes instead. So nothing has to be tried by the clock. Datagrams do not wait: ZIG_H3_ERR_QUEUE_FULL has no event.
 * Threads   Any call may be made from any thread, except that one queue is drained by one thread at a time: a second one that
 *           comes in meanwhile gets ZIG_H3_ERR_BUSY.
 * Signals   A signal handler may call zig_h3_queue_wake(), zig_h3_version(), zig_h3_abi_version(), _abi_minor(), zig_h3_struct_size(),
 *           zig_h3_error_name() and zig_h3_event_name(), and nothing else: the thread that it interrupts may be inside a call.
 * Cancel    No call is a cancellation point (pthread_cancel), except zig_h3_queue_wait() while it sleeps: a thread that is cancelled
 *           there leaves the queue to the next one, and no event is lost. Asynchronous cancellation, and leaving a call by longjmp()
 *           or an exception out of a handler, are not supported.
 * Fork      In a child made by fork() or clone() without exec() every call returns ZIG_H3_ERR_FORKED: the engine's threads are not
 *           there. (Without fork() itself, as by _Fork(), on Linux only. A child of vfork() must call nothing.)
 * Unload    The library stays in the process once loaded; dlclose() does nothing.
 *
 * Besides what is listed at a call, every call that takes a handle may return the three handle errors, and every one that returns a
 * result ZIG_H3_ERR_FORKED, and ZIG_H3_ERR_FATAL once the engine has died of a fault of its own (a ZIG_H3_EVENT_FATAL says which).
 * What is queued then can still be drained: the draining calls, arm and wait return ZIG_H3_ERR_FATAL when nothing is left.
 *
 * Every function is also exported with the suffix _v1, the name to bind when you want this very contract for good. docs/abi.md
 * holds the policy.
 */
#ifndef ZIG_H3_H
#define ZIG_H3_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define ZIG_H3_API __attribute__((visibility("default")))
#else
#define ZIG_H3_API
#endif

/* The contract that this header describes, and what was added to it since: compare them with zig_h3_abi_version() and
 * zig_h3_abi_minor(), which give those of the library. A macro besides, for #if; a program that parses this header has the constants. */
enum zig_h3_abi { ZIG_H3_ABI_VERSION = 1, ZIG_H3_ABI_MINOR = 3 };
#define ZIG_H3_ABI_VERSION 1u
#define ZIG_H3_ABI_MINOR 3u

/* Names an object of the library. 0 is no object. Always below 2^53, so that a double holds it. */
typedef uint64_t zig_h3_handle;

/* ------------------------------------------------------------------------------------------------------------------- errors */

/* The closed set of results. Zero and positive numbers are successes. */
enum zig_h3_error {
    ZIG_H3_OK = 0,
    ZIG_H3_ERR_INVALID_ARGUMENT = -1,    /* a null pointer, a length or a number that the call does not take */
    ZIG_H3_ERR_INVALID_HANDLE = -2,      /* zero, or a number that no call ever gave out */
    ZIG_H3_ERR_STALE_HANDLE = -3,        /* the object has ended */
    ZIG_H3_ERR_WRONG_KIND = -4,          /* a live object, but not of the kind that the call takes */
    ZIG_H3_ERR_WRONG_STATE = -5,         /* not now: e.g. one more queue for a running server */
    ZIG_H3_ERR_BUSY = -6,                /* another thread is draining this queue */
    ZIG_H3_ERR_NO_MEMORY = -7,           /* the system gave no memory */
    ZIG_H3_ERR_FORKED = -8,              /* called in a forked child */
    ZIG_H3_ERR_FATAL = -9,               /* the engine has died of a fault of its own; the host lives */
    ZIG_H3_ERR_BUFFER_TOO_SMALL = -10,   /* your buffer does not hold the first event; it is still queued */
    ZIG_H3_ERR_CONFIG = -11,             /* an option that is unknown or impossible: last_error names it */
    ZIG_H3_ERR_CERTIFICATE = -12,        /* certificate or key missing, unreadable, no regular file or not a pair: last_error names it */
    ZIG_H3_ERR_ADDRESS_IN_USE = -13,     /* EADDRINUSE */
    ZIG_H3_ERR_ADDRESS_UNAVAILABLE = -14,/* EADDRNOTAVAIL: no interface has this address */
    ZIG_H3_ERR_PERMISSION = -15,         /* EACCES, EPERM */
    ZIG_H3_ERR_RESOLVE = -16,            /* the hostname has no address */
    ZIG_H3_ERR_IO = -17,                 /* another failure of the operating system: last_error has its text */
    ZIG_H3_ERR_LIMIT = -18,              /* a fixed limit of the library is reached, e.g. too many objects */
    ZIG_H3_ERR_BAD_HEADER = -400,        /* a header name or value that HTTP/3 forbids (RFC 9114, 4.2), or a status outside 200..599 */
    ZIG_H3_ERR_BAD_ROUTE = -404,         /* a method that is no token, or a pattern that is none: last_error says why */
    ZIG_H3_ERR_TIMEOUT = -408,           /* a deadline passed */
    ZIG_H3_ERR_ENDED = -409,             /* out of order: the response has ended, or its headers are gone already */
    ZIG_H3_ERR_TOO_LARGE = -413,         /* larger than the limit: the request body, or what you sent */
    ZIG_H3_ERR_NOT_NEGOTIATED = -421,    /* the peer, or this server's options, did not offer it: datagrams, WebTransport */
    ZIG_H3_ERR_WOULD_BLOCK = -425,       /* no room just now, nothing was taken; a WRITABLE event of the object follows */
    ZIG_H3_ERR_QUEUE_FULL = -429,        /* the bounded queue of outgoing datagrams, or the peer's limit of streams: nothing was taken */
    ZIG_H3_ERR_DATAGRAM_TOO_LARGE = -431,/* larger than what fits into a packet now: last_error says the limit */
    ZIG_H3_ERR_CANCELLED = -499,         /* ended by this side: a reset, a stop */
    ZIG_H3_ERR_INTERNAL = -500,          /* a fault of the library */
    ZIG_H3_ERR_CLOSED = -503,            /* the peer closed the connection */
    ZIG_H3_ERR_RESET = -504,             /* the peer reset or stopped the stream */
    ZIG_H3_ERR_IDLE = -505,              /* the peer vanished: idle timeout */
    ZIG_H3_ERR_PROTOCOL = -506,          /* the peer broke the protocol */
    ZIG_H3_ERR_SHUTDOWN = -507,          /* the server was stopped, or the client closed */
    /* Why a client's fetch or session has ended. */
    ZIG_H3_ERR_REFUSED = -510,           /* nobody listens at the address: it says so (ICMP) */
    ZIG_H3_ERR_UNREACHABLE = -511,       /* there is no way to the address */
    ZIG_H3_ERR_CONNECT_TIMEOUT = -512,   /* no connection within the option connect_timeout_ms */
    ZIG_H3_ERR_HANDSHAKE = -513,         /* QUIC or TLS failed for another reason than the server's certificate; or the server takes no more connections */
    ZIG_H3_ERR_UNKNOWN_AUTHORITY = -514, /* the certificate was issued by nobody who is believed */
    ZIG_H3_ERR_WRONG_NAME = -515,        /* the certificate is for other names */
    ZIG_H3_ERR_EXPIRED = -516,           /* the certificate is not valid now */
    ZIG_H3_ERR_PIN = -517,               /* the certificate is none of certificate_hashes, or one that may not be pinned */
    ZIG_H3_ERR_POOL_TIMEOUT = -518,      /* no connection or stream was free within the option queue_timeout_ms */
    ZIG_H3_ERR_REJECTED = -519,          /* the server has turned it away: a fetch unprocessed, and it cannot be sent again; a session */
    ZIG_H3_ERR_TRUNCATED = -520          /* the response ended early */
};

/* ------------------------------------------------------------------------------------------------------------------- events */

/*
 * What an event tells. Ignore types that you do not know: later versions add some.
 *
 * Order holds for each object, and the end of a connection comes after the ends of all that it carried. Each request, each fetch and each
 * connection has exactly one terminal event (marked T), after which its handle is stale; a request that was answered with
 * ZIG_H3_SEND_FORGET has none, the call took its place: what follows of it was in the queue before, or on its way there.
 */
enum zig_h3_event_type {
    ZIG_H3_EVENT_PAD = 0,               /* filler in a mapped queue, to be skipped; next_event and next_events never give it */
    /*
     * A request. object: the request; parent: the server; user_data: as given to its route; status: the route's id; aux: its QUIC
     * stream id. meta: header list that begins with :method, :scheme, :authority and :path, always these four in this order (an
     * absent authority is empty), then :protocol if there was one, then the fields in the order they came, names lower-case, the
     * crumbs of a cookie joined with "; ". data: the body as far as it is there. Flags: END when that is the whole request,
     * BUFFERED when its route is.
     */
    ZIG_H3_EVENT_REQUEST = 1,
    /* More of a request's body, or of a fetch's response. data: the bytes, at most 64 KiB; aux: bytes of body before these. */
    ZIG_H3_EVENT_BODY = 2,
    /* The request's body is complete, or the response's of a fetch. aux: its length; meta: its trailers, if any. Follows every REQUEST or RESPONSE
     * without the flag END whose body arrives whole. */
    ZIG_H3_EVENT_BODY_END = 3,
    /* A call that returned ZIG_H3_ERR_WOULD_BLOCK, or a write that took only a part, can be made again. object: the request, fetch, session,
     * stream or client that it was made for; parent: the server or client, or the stream's session; aux: how many bytes may be written now, of a session or client 0. One for all
     * calls of the object that were refused before; it may be refused again. With flag END it is something else, of a stream that
     * zig_h3_wt_stream_end() was called for: all of it, its end included, is on its way. */
    ZIG_H3_EVENT_WRITABLE = 4,
    /* T. A request has ended. code: 0, or why it ended early (flag ABORTED, and REMOTE if it was the peer); aux: the peer's
     * HTTP/3 error code if it gave one; status: the response's status, 0 if none was sent. */
    ZIG_H3_EVENT_STREAM_CLOSED = 5,
    /* A connection. object: it; parent: the server or client; meta: a list of remote ("address:port"), local, alpn, sni; of a
     * client's also, in microseconds, lookup_us (of its name), attempt_us (until the attempt began that came through: there may have been others,
     * at other addresses) and handshake_us, unless it begins with early data: then the handshake is still to come. */
    ZIG_H3_EVENT_CONN_OPENED = 6,
    /* T. A connection has ended. code: why; aux: the error code on the wire, if there was one; data: the reason in words. Flag
     * REMOTE if the peer ended it. */
    ZIG_H3_EVENT_CONN_CLOSED = 7,
    /* A server takes connections: in each of its queues. object: it; status: its UDP port. */
    ZIG_H3_EVENT_SERVER_STARTED = 8,
    /* A server has stopped, or was taken from this queue (zig_h3_server_remove_queue), and all that it carried has ended that went to this
     * queue: it comes to each that SERVER_STARTED came to. object: it; code: 0, or ZIG_H3_ERR_TIMEOUT if the deadline cut
     * requests off, or ZIG_H3_ERR_IO if its socket failed (data: how). It may be started again. */
    ZIG_H3_EVENT_SERVER_STOPPED = 9,
    /* Lossy events that this queue had no room for: log lines as they came, of datagrams the oldest of those that waited (option
     * datagrams.incoming). aux: how many since the last of these; status: the type that was lost. */
    ZIG_H3_EVENT_LOST = 10,
    /* A message. status: enum zig_h3_log_level; data: the text; object: what it is about, or 0. */
    ZIG_H3_EVENT_LOG = 11,
    /* The engine has died of a fault of its own. data: which. Every later call returns ZIG_H3_ERR_FATAL; the host is unharmed. */
    ZIG_H3_EVENT_FATAL = 12,
    /*
     * A raw QUIC datagram (RFC 9221). Lossy. object: the connection; data: the payload; aux: when it came, ns on the monotonic clock.
     * Comes only from peers that did not announce SETTINGS_H3_DATAGRAM, with the option quic_datagrams.
     */
    ZIG_H3_EVENT_QUIC_DATAGRAM = 13,
    /* A datagram of a request (RFC 9297) whose route has ZIG_H3_ROUTE_DATAGRAM, or of a fetch with ZIG_H3_FETCH_DATAGRAMS. Lossy. object: the
     * request or fetch; data: the payload; status: the route; aux: when it came. The flow id (quarter stream id) is a quarter of the aux of
     * REQUEST, or RESPONSE. */
    ZIG_H3_EVENT_H3_DATAGRAM = 14,
    /*
     * A peer asks for a WebTransport session. object: the session; parent: the server; user_data and status: as given to its route
     * and the route's id; aux: the stream id of its CONNECT, which is the session id; meta: as in REQUEST, :protocol included.
     * Answer with zig_h3_wt_accept() or zig_h3_wt_reject() within the option webtransport.decision_timeout_ms; it is rejected with
     * 503 otherwise.
     */
    ZIG_H3_EVENT_SESSION_REQUEST = 15,
    /* An accepted session is open. object: it; status: the largest datagram it can send now, in bytes; meta: a list of protocol, and in
     * one of a client's the fields of the server's answer behind it. */
    ZIG_H3_EVENT_SESSION_OPENED = 16,
    /* The peer wants the session to end soon (its DRAIN capsule or a GOAWAY). object: the session. */
    ZIG_H3_EVENT_SESSION_DRAINING = 17,
    /* T. A session has ended, or was never opened. object: it; code: 0 when it was closed in the regular way, by whom says the flag
     * REMOTE, else why; aux: the application's close code; data: the reason it came with, UTF-8. With flag COUNTERS, which one has
     * whose SESSION_OPENED came, and no other, meta is its last counters, u64 each, as zig_h3_wt_stats_snapshot() has them; without it,
     * ignore what meta may hold. The ends of its streams come before. */
    ZIG_H3_EVENT_SESSION_CLOSED = 18,
    /* A datagram of a session. Lossy. object: the session; data: the payload, possibly empty; aux: when it came. */
    ZIG_H3_EVENT_SESSION_DATAGRAM = 19,
    /* A stream of a session. object: the stream; parent: the session; status: enum zig_h3_wt_stream_kind; aux: its QUIC stream id.
     * Flag REMOTE: the peer opened it; without it, one that zig_h3_wt_open_stream() asked for is there now. */
    ZIG_H3_EVENT_STREAM_OPENED = 20,
    /* Bytes of a stream. object: it; parent: the session; data: at most 64 KiB; aux: bytes before these. Flag END: the peer has
     * finished its side. */
    ZIG_H3_EVENT_STREAM_DATA = 21,
    /* The peer has reset its side of a stream: no more data. object: it; aux: the application's code, 32 bits. */
    ZIG_H3_EVENT_STREAM_RESET = 22,
    /* The peer wants no more of this side of a stream, or of a fetch's body: writes fail from now on. object: it; aux: the application's code, or
     * of a fetch HTTP/3's: its response comes all the same. */
    ZIG_H3_EVENT_STREAM_STOPPED = 23,
    /* T. Both sides of a stream have ended, or it was never opened. object: it; parent: the session; code: 0 or why, e.g.
     * ZIG_H3_ERR_QUEUE_FULL for one that the peer's limit did not let open. One that you asked for just when its session ended may
     * have its end, with ZIG_H3_ERR_CLOSED, behind that of the session. */
    ZIG_H3_EVENT_STREAM_ENDED = 24,
    /* Datagrams that were taken for sending and were not sent. object: the session, request, fetch or connection; code:
     * ZIG_H3_ERR_TIMEOUT (older than the age given), _DATAGRAM_TOO_LARGE (the path shrank), _CLOSED; aux: how many since the last. */
    ZIG_H3_EVENT_DATAGRAMS_DROPPED = 25,
    /* What became of one zig_h3_wt_stream_write_atomic(), in the order of the calls. object: the stream; parent: the session; aux: its
     * length; code: 0 when all of it is on its way, ZIG_H3_ERR_WOULD_BLOCK when none of it is, because flow control, or what was written
     * before and is not on its way yet, leaves no room for all of it at once, or why this side is over: ZIG_H3_ERR_RESET when the peer has
     * stopped it, _CANCELLED, _CLOSED. None follows for those that STREAM_ENDED comes before: nothing of them was sent. */
    ZIG_H3_EVENT_STREAM_ATOMIC = 26,
    /* An informational response (1xx, at most 32 of one fetch). object: the fetch; parent: the client; conn; user_data: as given; status; meta:
     * its fields, packed. */
    ZIG_H3_EVENT_INFORMATIONAL = 27,
    /* The head of a response. object: the fetch; parent: the client; conn; user_data: as given; status; aux: its QUIC stream id; meta: its
     * fields in the order they came, names lower-case. Flag END: that is the whole response, and data its body, for which no credit is due. Flag
     * BUFFERED: the fetch has collect, and none is due for what follows either. */
    ZIG_H3_EVENT_RESPONSE = 28,
    /* T. A fetch has ended. object: it; parent: the client; user_data: as given; code: 0, or why it ended early (flag ABORTED, and REMOTE if it
     * was the server's doing); status: the response's status, 0 if none came; aux: the server's HTTP/3 error code if it gave one; data: why, in
     * words. */
    ZIG_H3_EVENT_FETCH_DONE = 29,
    /* T. A client has ended, behind the ends of all that was its own. object: it; code: 0, ZIG_H3_ERR_TIMEOUT if the deadline cut fetches off, or
     * ZIG_H3_ERR_IO (data: how). */
    ZIG_H3_EVENT_CLIENT_CLOSED = 30,
    /* T. What became of zig_h3_client_connect(). object: what that gave; parent: the client; user_data: as given; code: 0 and conn: the connection,
     * which is there by now, or why there is none, as of a fetch; aux: the server's error code if it gave one; data: why, in words. */
    ZIG_H3_EVENT_CONNECT_DONE = 31
};

enum zig_h3_event_flag {
    ZIG_H3_FLAG_END = 0x1,
    ZIG_H3_FLAG_REMOTE = 0x2,
    ZIG_H3_FLAG_ABORTED = 0x4,
    ZIG_H3_FLAG_BUFFERED = 0x8,
    ZIG_H3_FLAG_COUNTERS = 0x10, /* of SESSION_CLOSED: meta is counters */
    ZIG_H3_FLAG_EARLY = 0x20     /* of RESPONSE: the request went out as early data (0-RTT), which the server has taken */
};

enum zig_h3_log_level { ZIG_H3_LOG_DEBUG = 0, ZIG_H3_LOG_INFO = 1, ZIG_H3_LOG_WARN = 2, ZIG_H3_LOG_ERROR = 3 };

/*
 * The head of an event as it stands in a queue: 64 bytes, little-endian. Behind it follow meta_len bytes of meta, zero to seven
 * bytes of filler up to a multiple of 8, and data_len bytes of data; the next record begins at the next multiple of 64.
 *
 * A header list is packed as u16 name length, u32 value length, name, value, again and again, without padding.
 */
typedef struct zig_h3_record {
    uint32_t size;      /*  0  bytes of the record, this head included, without the filler behind it */
    uint16_t type;      /*  4  enum zig_h3_event_type */
    uint16_t flags;     /*  6  enum zig_h3_event_flag */
    uint64_t object;    /*  8  what the event is about */
    uint64_t parent;    /* 16  what that belongs to: the server or client; of a stream, its session */
    uint64_t conn;      /* 24  the connection, or 0 */
    uint64_t user_data; /* 32  what you gave the route, fetch or session, or 0 */
    int32_t code;       /* 40  0 or enum zig_h3_error */
    uint32_t status;    /* 44  by type */
    uint32_t meta_len;  /* 48  bytes */
    uint32_t data_len;  /* 52  bytes */
    uint64_t aux;       /* 56  by type */
} zig_h3_record;

/* An event as zig_h3_next_event() gives it: the record's head, then where its parts are. */
typedef struct zig_h3_event {
    uint32_t size;
    uint16_t type;
    uint16_t flags;
    uint64_t object;
    uint64_t parent;
    uint64_t conn;
    uint64_t user_data;
    int32_t code;
    uint32_t status;
    uint32_t meta_len;
    uint32_t data_len;
    uint64_t aux;
    const uint8_t *meta; /* 64  meta_len bytes, valid until the next call that drains this queue */
    const uint8_t *data; /* 72  data_len bytes, likewise */
} zig_h3_event;

/* ------------------------------------------------------------------------------------------------------------------ library */

/* The library's version and quic-go's, as "1.0.0/quic-go 0.65.0". Static: never free it. Works before anything else, anywhere. */
ZIG_H3_API const char *zig_h3_version(void);

/* The contract of the library that was loaded: it must be equal to ZIG_H3_ABI_VERSION. */
ZIG_H3_API uint32_t zig_h3_abi_version(void);

/* What was added to that contract since: with ZIG_H3_ABI_MINOR or more, the library has all that this header has. Since 1.1: where a
 * library has no such function, it is 0. */
ZIG_H3_API uint32_t zig_h3_abi_minor(void);

enum zig_h3_struct {
    ZIG_H3_STRUCT_RECORD = 1,
    ZIG_H3_STRUCT_EVENT = 2,
    ZIG_H3_STRUCT_QUEUE_CONFIG = 3,
    ZIG_H3_STRUCT_SERVER_CONFIG = 4,
    ZIG_H3_STRUCT_QUEUE_SPAN = 5,
    ZIG_H3_STRUCT_DATAGRAM = 6,
    ZIG_H3_STRUCT_CLIENT_CONFIG = 7,
    ZIG_H3_STRUCT_FETCH_CONFIG = 8,
    ZIG_H3_STRUCT_SESSION_CONFIG = 9
};

/* Bytes of a struct as the library was built (enum zig_h3_struct), 0 for an unknown one. */
ZIG_H3_API size_t zig_h3_struct_size(uint32_t kind);

/* The name of a result, as "ZIG_H3_ERR_BUSY"; "ZIG_H3_ERR_UNKNOWN" for a number that is none. Static. */
ZIG_H3_API const char *zig_h3_error_name(int32_t code);

/* The name of an event type, as "ZIG_H3_EVENT_REQUEST"; "ZIG_H3_EVENT_UNKNOWN" for a number that is none. Static. */
ZIG_H3_API const char *zig_h3_event_name(uint32_t type);

/* What went wrong in the last call of this thread that failed, in words: which file, which option, which address. Never NULL;
 * empty if none failed yet. Valid until the next call of this thread. */
ZIG_H3_API const char *zig_h3_last_error(void);

enum zig_h3_refusal {
    ZIG_H3_REFUSAL_NONE = 0,    /* the last failure was no ZIG_H3_ERR_WOULD_BLOCK */
    ZIG_H3_REFUSAL_RING = 1,    /* the submission ring: a moment */
    ZIG_H3_REFUSAL_NETWORK = 2, /* what waits for the network has reached a mark or a limit: as long as the peer takes */
    ZIG_H3_REFUSAL_QUEUE = 3    /* thousands of events wait for a consumer that does not drain its queue */
};

/* What the last call of this thread that failed waits for, if that was ZIG_H3_ERR_WOULD_BLOCK: enum zig_h3_refusal. The same event tells of
 * all, so only those need it who would rather drop something than wait for a peer. Ask at once, as for zig_h3_last_error(). */
ZIG_H3_API uint32_t zig_h3_last_refusal(void);

/* Memory that no collector moves, zero-filled, for buffers that you map or pass again and again. NULL if there is none. */
ZIG_H3_API void *zig_h3_alloc(size_t size);

/* Gives back what zig_h3_alloc() gave. NULL is fine. */
ZIG_H3_API void zig_h3_free(void *memory);

/* ------------------------------------------------------------------------------------------------------------------- queues */

/* What a queue is made with. Zero means the default. */
typedef struct zig_h3_queue_config {
    uint32_t size;     /* sizeof(zig_h3_queue_config), as this header has it: other versions of the library know by it what you know */
    uint32_t capacity; /* bytes of the ring, a power of two from 512 KiB to 256 MiB; default 1 MiB */
} zig_h3_queue_config;

/*
 * Makes a queue: the mailbox of one consumer. It may serve any number of servers and clients. config may be NULL.
 * Waits for the engine, at most ten seconds.
 * Returns 0, or ZIG_H3_ERR_INVALID_ARGUMENT (out is NULL, config->size is too small, or the struct is larger
 * than the library knows and what is behind that is not 0), _CONFIG (the capacity), _NO_MEMORY, _LIMIT (of
 * objects, or of descriptors), _TIMEOUT.
 */
ZIG_H3_API int32_t zig_h3_queue_new(const zig_h3_queue_config *config, zig_h3_handle *out);

/*
 * Frees a queue and what it still holds. Servers that deliver to it alone, and clients, are freed first, as by zig_h3_server_free(); from those that have
 * others it is taken away, as by zig_h3_server_remove_queue() with deadline 0: what is pinned to it ends, the rest goes on. A mapping of it
 * (zig_h3_queue_map) stays readable, its bytes mean nothing any more. A thread in zig_h3_queue_wait() comes back with
 * ZIG_H3_ERR_STALE_HANDLE. Freeing it again returns ZIG_H3_ERR_STALE_HANDLE and does nothing.
 * Returns 0, ZIG_H3_ERR_BUSY (another thread is draining it) or ZIG_H3_ERR_NO_MEMORY; then nothing happened. ZIG_H3_ERR_TIMEOUT as
 * zig_h3_server_free().
 */
ZIG_H3_API int32_t zig_h3_queue_free(zig_h3_handle queue);

/*
 * Takes the next event. 1: *event is filled, its pointers are good until the next draining call on this queue. 0: there is none.
 * Or ZIG_H3_ERR_INVALID_ARGUMENT (event is NULL), _BUSY. Never blocks.
 */
ZIG_H3_API int32_t zig_h3_next_event(zig_h3_handle queue, zig_h3_event *event);

/*
 * Copies up to max events, as many as fit, into buffer (8-byte aligned, capacity bytes): records as zig_h3_record describes, each
 * at a multiple of 64 from the start and taking a multiple of 64. Returns how many, 0 if there is none. *needed, if not NULL, receives
 * the bytes used.
 * ZIG_H3_ERR_BUFFER_TOO_SMALL: the first event alone does not fit; *needed says how much it wants, and it stays queued.
 * Or ZIG_H3_ERR_INVALID_ARGUMENT, _BUSY. Never blocks.
 */
ZIG_H3_API int32_t zig_h3_next_events(zig_h3_handle queue, void *buffer, size_t capacity, uint32_t max, size_t *needed);

/* Where queued events stand in a mapped queue. */
typedef struct zig_h3_queue_span {
    uint64_t offset; /* from the base that zig_h3_queue_map() gave, to the first record */
    uint64_t bytes;  /* up to the end of the last one: what zig_h3_queue_advance() takes */
} zig_h3_queue_span;

/*
 * The queue's own memory, for consumers that read records in place instead of having them copied: *base and *size bytes. Map it
 * once; it is valid, and at this place, as long as the process lives. Read-only for you.
 * Returns 0 or ZIG_H3_ERR_INVALID_ARGUMENT.
 */
ZIG_H3_API int32_t zig_h3_queue_map(zig_h3_handle queue, const void **base, size_t *size);

/*
 * zig_h3_queue_free() in the form in which runtimes take what to call when they let go of foreign memory (JavaScriptCore's
 * JSTypedArrayBytesDeallocator): given with a mapping of the queue, and the handle as context, it frees the queue of a thread that was
 * ended from outside, with the servers that have no other. For a queue that was freed before it does nothing. Leaves zig_h3_last_error() as it was.
 */
ZIG_H3_API void zig_h3_queue_collected(void *bytes, void *queue);

/*
 * Says where the next events stand, at most max of them, without taking them: returns how many records the span holds, fillers
 * (ZIG_H3_EVENT_PAD) included, 0 if there is none: then *span is zero. The records stay as they are until zig_h3_queue_advance().
 * Or ZIG_H3_ERR_INVALID_ARGUMENT, _BUSY. Never blocks.
 */
ZIG_H3_API int32_t zig_h3_queue_peek(zig_h3_handle queue, uint32_t max, zig_h3_queue_span *span);

/*
 * Takes the records of a span, or its first ones: bytes must end where a record ends. Their memory is reused from now on.
 * Returns 0, or ZIG_H3_ERR_INVALID_ARGUMENT (bytes ends inside a record or beyond what is queued, or zig_h3_next_event() or
 * zig_h3_next_events() has taken an event since the span was told: then ask for a new one), _BUSY.
 */
ZIG_H3_API int32_t zig_h3_queue_advance(zig_h3_handle queue, uint64_t bytes);

/*
 * A descriptor that becomes readable when an armed queue gets its next event, for select, poll, epoll, kqueue and event loops.
 * It is yours, a new one with each call: close it when you need it no more, before or after the queue is freed. Reading 8 bytes from it
 * (it does not block) makes it, and all others of the queue, unreadable again. Behind the queue's end it stays as it is.
 * Returns 0 or ZIG_H3_ERR_INVALID_ARGUMENT (fd is NULL), _LIMIT (of descriptors).
 */
ZIG_H3_API int32_t zig_h3_queue_fd(zig_h3_handle queue, int32_t *fd);

/*
 * Asks for one wake-up: the descriptor becomes readable at the next event. 0: armed, go to sleep. 1: there are events already,
 * drain first. The order is: drain until empty, arm, sleep on 0. Arming twice is harmless. Counts as draining: ZIG_H3_ERR_BUSY if
 * another thread does.
 */
ZIG_H3_API int32_t zig_h3_queue_arm(zig_h3_handle queue);

/*
 * Blocks, in C, until there is an event (1), or timeout_ms have passed, zig_h3_queue_wake() was called or a signal handler has run on
 * this thread while it slept (0): it may have set a flag that you look at. 0 ms looks and returns, a negative number waits for ever. For
 * threads that may block. Counts as draining: ZIG_H3_ERR_BUSY if another thread does.
 */
ZIG_H3_API int32_t zig_h3_queue_wait(zig_h3_handle queue, int32_t timeout_ms);

/* Ends a wait on the queue, or the next one if nobody waits: several calls may count as one. From any thread, and from a signal
 * handler. Returns 0. */
ZIG_H3_API int32_t zig_h3_queue_wake(zig_h3_handle queue);

/* ------------------------------------------------------------------------------------------------------------------ servers */

/*
 * What a server is made with. Zero and NULL mean the default. options is a JSON object of options_len bytes for all that has many
 * settings; docs/options.md lists its keys. An unknown key, or a value that its key cannot have, is ZIG_H3_ERR_CONFIG.
 */
typedef struct zig_h3_server_config {
    uint32_t size;         /*  0  sizeof(zig_h3_server_config) */
    uint16_t port;         /*  4  UDP port; 0: one that the system chooses */
    uint16_t reserved;     /*  6  0 */
    const char *hostname;  /*  8  address or name to bind; default: all addresses, IPv6 too where the system has it */
    const char *cert_path; /* 16  PEM file with the certificate chain */
    const char *key_path;  /* 24  PEM file with its key. Neither file nor a certificate in options: one for development is made */
    const char *options;   /* 32  JSON text, or NULL */
    size_t options_len;    /* 40  bytes */
} zig_h3_server_config;

/*
 * Makes a server that delivers to queue. Certificates are read and checked here; nothing is bound yet. Waits for the engine, for
 * milliseconds, at most ten seconds.
 * Returns 0, or ZIG_H3_ERR_INVALID_ARGUMENT (config or out is NULL, size is wrong as for zig_h3_queue_new(), reserved is not 0, options
 * is NULL and options_len is not 0), _CONFIG, _CERTIFICATE, _LIMIT, _NO_MEMORY, _TIMEOUT.
 */
ZIG_H3_API int32_t zig_h3_server_new(const zig_h3_server_config *config, zig_h3_handle queue, zig_h3_handle *out);

/*
 * Frees a server; a running one is stopped as by force. Its requests and connections end, their last events and SERVER_STOPPED still
 * come, but its handle is stale from now on. Freeing it again returns ZIG_H3_ERR_STALE_HANDLE and does nothing. Does not wait for
 * that. Returns 0, or ZIG_H3_ERR_NO_MEMORY (nothing happened), _TIMEOUT (the engine took nothing for ten seconds: it hangs).
 */
ZIG_H3_API int32_t zig_h3_server_free(zig_h3_handle server);

/*
 * Gives the server one more queue: each new connection is pinned to one of them in turn, with all it carries, which is how several
 * threads share a server. What is about the server itself (SERVER_STARTED, SERVER_STOPPED) goes to each. One that has no room left, and of
 * which nobody has taken anything for five seconds, gets no new connection as long as that lasts, and a LOG in the others says so (object:
 * that queue). Returns 0, or ZIG_H3_ERR_WRONG_STATE (running), _INVALID_ARGUMENT (a queue that it has already), _LIMIT (64 queues),
 * _NO_MEMORY, _TIMEOUT.
 */
ZIG_H3_API int32_t zig_h3_server_add_queue(zig_h3_handle server, zig_h3_handle queue);

/*
 * Takes a queue away from the server, running or not: no new connection is pinned to it. Those that are end as by zig_h3_server_stop()
 * with this deadline, and SERVER_STOPPED comes to this queue behind all of them; the server runs on with the others. Of a server that
 * does not run nothing more comes. Does not wait for that. Returns 0, or ZIG_H3_ERR_WRONG_STATE (its last queue: stop or free the server),
 * _INVALID_ARGUMENT (not a queue of this server), _NO_MEMORY, _TIMEOUT.
 */
ZIG_H3_API int32_t zig_h3_server_remove_queue(zig_h3_handle server, zig_h3_handle queue, int32_t deadline_ms);

enum zig_h3_route_flag {
    ZIG_H3_ROUTE_BUFFERED = 0x1,     /* the request counts only with its whole body: see below */
    ZIG_H3_ROUTE_DATAGRAM = 0x2,     /* HTTP/3 datagrams of its requests are delivered (RFC 9297) */
    ZIG_H3_ROUTE_WEBTRANSPORT = 0x4, /* takes WebTransport sessions, nothing else */
    ZIG_H3_ROUTE_REPLACE = 0x8,      /* takes the place of the route of the same method and paths, where there is one */
    ZIG_H3_ROUTE_REMOVE = 0x10       /* takes that route away instead of adding one */
};

/*
 * Adds a route. method: a token, or NULL for any. pattern: a path of literal segments, ":name" segments that match one segment,
 * and as the last one "*", which matches the rest, also none. Literals go before parameters before "*", whatever the order of
 * registration. GET answers HEAD too (its body is not sent). OPTIONS * goes to the wildcard that matches every path. A path that no
 * pattern matches is answered 404, one with other methods only 405 with Allow, both without an event.
 *
 * WEBTRANSPORT stands alone: a route takes sessions or requests, not both; method must be NULL or "CONNECT".
 *
 * BUFFERED: a body up to 64 KiB comes whole with its REQUEST event; of a longer one the pieces follow as BODY events that need no
 * zig_h3_request_consumed(), and the handler should wait for BODY_END. A body beyond the server's limit (max_request_body_size)
 * is answered 413 and stopped; if its REQUEST event was out already, STREAM_CLOSED says ZIG_H3_ERR_TOO_LARGE. One that waits too long
 * for room among all of them (max_buffered_body_bytes) is answered 503, or STREAM_CLOSED says ZIG_H3_ERR_LIMIT.
 *
 * *route_id, if not NULL, receives the number that REQUEST events carry in status; user_data comes back in user_data. On a running
 * server, requests that come later see the route. REPLACE and REMOVE are for one that is there: requests that it was found for may still
 * come with its user_data. What the routes took when the server was started (datagrams, sessions) is what clients are told, whatever takes
 * their places.
 * Returns 0, or ZIG_H3_ERR_INVALID_ARGUMENT (pattern is NULL, flags unknown or at odds), _BAD_ROUTE (also where there is none to remove),
 * _NO_MEMORY, _TIMEOUT.
 */
ZIG_H3_API int32_t zig_h3_server_route(zig_h3_handle server, const char *method, const char *pattern, uint32_t flags,
                                       uint64_t user_data, uint32_t *route_id);

/*
 * Binds and serves. A SERVER_STARTED event follows. On a running server nothing happens, and 0 is returned. A server that has
 * stopped can be started again.
 * Returns 0, or ZIG_H3_ERR_ADDRESS_IN_USE, _ADDRESS_UNAVAILABLE, _PERMISSION, _RESOLVE, _IO, _WRONG_STATE (still starting or
 * stopping), _NO_MEMORY, _TIMEOUT (a name that resolves for longer than ten seconds; should it come to run all the same, SERVER_STARTED
 * says so).
 */
ZIG_H3_API int32_t zig_h3_server_start(zig_h3_handle server);

/*
 * Stops: no new connection, GOAWAY on the open ones, requests that run may finish for deadline_ms; then, or at once where nothing
 * runs, connections are closed, and SERVER_STOPPED comes last. deadline_ms 0 ends everything now; a negative number waits for as
 * long as requests run. A second call with a shorter deadline shortens it. Does not wait for that.
 * Returns 0, also on a server that does not run, or ZIG_H3_ERR_NO_MEMORY, _TIMEOUT as zig_h3_server_free().
 */
ZIG_H3_API int32_t zig_h3_server_stop(zig_h3_handle server, int32_t deadline_ms);

/* The UDP port that the server is bound to. Returns 0, or ZIG_H3_ERR_WRONG_STATE if it does not run, _INVALID_ARGUMENT (port is
 * NULL). */
ZIG_H3_API int32_t zig_h3_server_port(zig_h3_handle server, uint16_t *port);

/* SHA-256 of the server's leaf certificate in DER, as browsers take it in serverCertificateHashes: 32 bytes at hash. Returns 0,
 * or ZIG_H3_ERR_INVALID_ARGUMENT (hash is NULL). */
ZIG_H3_API int32_t zig_h3_server_certificate_hash(zig_h3_handle server, uint8_t *hash);

/*
 * Copies the server's counters to values, at most count of them; index i is named by zig_h3_stats_name(i). Returns how many there
 * are. Counters are 64-bit, most only grow. They stay readable after a stop, until the server is freed.
 * ZIG_H3_ERR_INVALID_ARGUMENT when values is NULL and count is not 0.
 */
ZIG_H3_API int32_t zig_h3_stats_snapshot(zig_h3_handle server, uint64_t *values, size_t count);

/* The name of a counter, as "requests_total"; NULL behind the last one. Static. In the first milliseconds after loading it waits for
 * the engine, which knows them. */
ZIG_H3_API const char *zig_h3_stats_name(uint32_t index);

/* ---------------------------------------------------------------------------------------------------------------- requests */

/*
 * A request is what goes to and fro on one stream: a body that comes and one that is written. These calls are named after it, since nothing in
 * them depends on who asked: where they say request, a client's fetch will do as well, but for zig_h3_request_stop(). Of a request the body that
 * is written is the response's, of a fetch the request's own, and what is said of statuses, headers and HEAD is said of the former.
 */

/*
 * Of a fetch: the body's end is given once, by zig_h3_request_end() or _send_trailers(), unless ZIG_H3_FETCH_END was. A server may want no
 * more of it (STREAM_STOPPED); then these calls return ZIG_H3_ERR_ENDED. FETCH_DONE, not STREAM_CLOSED, is the end, and zig_h3_request_reset()
 * cancels with a code of yours.
 */

/*
 * Says that n bytes of a request's body were dealt with: only this lets the peer send more. At most what came may be named: beyond
 * it ZIG_H3_ERR_INVALID_ARGUMENT. Not needed for what came with the REQUEST or RESPONSE event itself, nor on BUFFERED routes and of fetches with
 * collect. Returns 0.
 */
ZIG_H3_API int32_t zig_h3_request_consumed(zig_h3_handle request, uint64_t n);

/* Wants no more of a request's body: the peer is told to stop sending (H3_NO_ERROR). No BODY event after those already queued; the
 * response can still be given. A fetch is ZIG_H3_ERR_WRONG_KIND: cancel it. Returns 0. */
ZIG_H3_API int32_t zig_h3_request_stop(zig_h3_handle request);

/*
 * Sends the headers, if they are not gone yet, and part of the body. *taken receives how many of the len bytes were taken: all, or
 * up to the response's high-water mark (1 MiB waiting for the network by default). While all responses and streams of the server together
 * have reached the option max_queued_response_bytes (256 MiB by default) the mark is 16 KiB, so that whose peer reads goes on. When
 * fewer were taken, a WRITABLE event follows. With len 0 it sends the headers only. To a HEAD request everything is taken and nothing
 * sent.
 * Returns 0, or ZIG_H3_ERR_INVALID_ARGUMENT, _WOULD_BLOCK (nothing was taken; a WRITABLE event follows), _ENDED,
 * _NO_MEMORY.
 */
ZIG_H3_API int32_t zig_h3_request_write(zig_h3_handle request, const void *data, size_t len, size_t *taken);

/* Ends the response, with a last part of the body if len is not 0 (taken whole, whatever the mark). STREAM_CLOSED follows once all
 * of it is on its way. Returns 0, or ZIG_H3_ERR_ENDED (also the second time), _WOULD_BLOCK as zig_h3_response_send(), _TOO_LARGE
 * (over 2 GiB), _NO_MEMORY, _INVALID_ARGUMENT. */
ZIG_H3_API int32_t zig_h3_request_end(zig_h3_handle request, const void *data, size_t len);

/* Ends the response with trailers (a packed list) after the body. To a HEAD request they are ignored. Returns as
 * zig_h3_request_end(), and ZIG_H3_ERR_BAD_HEADER. */
ZIG_H3_API int32_t zig_h3_request_send_trailers(zig_h3_handle request, const void *trailers, size_t trailers_len);

/* Gives the request up, both directions, with an HTTP/3 error code (RFC 9114, 8.1; e.g. 0x102 H3_INTERNAL_ERROR), so that the peer
 * sees an error and no clean end. STREAM_CLOSED follows with ZIG_H3_ERR_CANCELLED. Also for a response that was ended and is still on
 * its way; a second time does nothing. Returns 0, or ZIG_H3_ERR_INVALID_ARGUMENT (a code beyond 2^62). */
ZIG_H3_API int32_t zig_h3_request_reset(zig_h3_handle request, uint64_t error_code);

/* The same functions under their older names, which stay. */
ZIG_H3_API int32_t zig_h3_response_write(zig_h3_handle request, const void *data, size_t len, size_t *taken);
ZIG_H3_API int32_t zig_h3_response_end(zig_h3_handle request, const void *data, size_t len);
ZIG_H3_API int32_t zig_h3_response_send_trailers(zig_h3_handle request, const void *trailers, size_t trailers_len);
ZIG_H3_API int32_t zig_h3_response_reset(zig_h3_handle request, uint64_t error_code);

/* --------------------------------------------------------------------------------------------------------------- responses */

enum zig_h3_send_flag {
    ZIG_H3_SEND_FORGET = 0x1, /* I want to hear no more of this request: its handle is stale from now on, its body is stopped, and no event
                                    follows but those that are in the queue already, or on their way there */
    ZIG_H3_SEND_LATER = 0x2   /* more follows at once: the engine need not be woken before zig_h3_flush() or a call without this */
};

/*
 * Answers with a complete response. status: 200 to 599. headers: a packed list (see zig_h3_record), names in any case, without
 * pseudo fields; blanks around values do not count; content-length and date are added where missing. body may be NULL when body_len
 * is 0; to a HEAD request, and with status 204 or 304, none is sent. A STREAM_CLOSED event follows unless FORGET is given.
 * Returns 0, or ZIG_H3_ERR_INVALID_ARGUMENT, _BAD_HEADER, _ENDED (a response was begun), _TOO_LARGE (headers over 64 KiB, body over
 * 2 GiB), _NO_MEMORY, or _WOULD_BLOCK: nothing was taken, because there is no room in the submission ring, or, with a body of
 * more than 16 KiB, because what waits of other responses and streams of the server has reached the option max_queued_response_bytes. A
 * WRITABLE event follows, in the latter case when there is room for 64 KiB; in parts (zig_h3_request_write()) it would go on at once. A body that is larger
 * than the option is taken as long as others leave any room.
 */
ZIG_H3_API int32_t zig_h3_response_send(zig_h3_handle request, uint32_t status, const void *headers, size_t headers_len,
                                        const void *body, size_t body_len, uint32_t flags);

/* Sets the status (200 to 599; default 200) of a response that is given in parts. ZIG_H3_ERR_ENDED once its headers are gone,
 * ZIG_H3_ERR_BAD_HEADER for another number, _NO_MEMORY. */
ZIG_H3_API int32_t zig_h3_response_status(zig_h3_handle request, uint32_t status);

/*
 * Adds one header to a response that is given in parts: name_len and value_len bytes, no terminator needed; the name may be in any
 * case. Returns 0, or ZIG_H3_ERR_BAD_HEADER (a character, a pseudo field or a connection-specific field that RFC 9114, 4.2
 * forbids), _ENDED (headers are gone), _TOO_LARGE (64 KiB together), _NO_MEMORY, _INVALID_ARGUMENT (NULL with a length).
 */
ZIG_H3_API int32_t zig_h3_response_header(zig_h3_handle request, const char *name, size_t name_len, const char *value,
                                          size_t value_len);

/* Adds a packed list of headers in one call: as zig_h3_response_header() for each, all or none;
 * ZIG_H3_ERR_INVALID_ARGUMENT also for a list that ends inside a field. */
ZIG_H3_API int32_t zig_h3_response_headers(zig_h3_handle request, const void *headers, size_t headers_len);

/* ------------------------------------------------------------------------------------------------------------ datagrams */

/*
 * Datagrams are sent at once or not at all, in order of the calls, from a queue of the option datagrams.outgoing (256) for each
 * session, request or connection. max_age_ms: what waits longer is dropped and told by DATAGRAMS_DROPPED; 0: no limit. An empty
 * datagram is one. flags: ZIG_H3_SEND_LATER. All of them return 0 when it is queued, or
 * ZIG_H3_ERR_INVALID_ARGUMENT    data is NULL and len is not 0, unknown flags
 * _DATAGRAM_TOO_LARGE            zig_h3_last_error() says the limit; counted as datagrams_dropped_too_large
 * _QUEUE_FULL                    as many wait, or there is no room in the submission ring; no event says when there is room
 * _NOT_NEGOTIATED                the peer, the route or the options do not have them
 * _WRONG_STATE                   the session is not open yet, or was closed; the fetch is not on a connection yet
 * _ENDED                         the request's response has ended; the fetch was cancelled
 * _STALE_HANDLE                  the session, request, fetch or connection has ended
 * _NO_MEMORY                     of a datagram, or a list, of more than 4 KiB
 */

/* Sends a raw QUIC datagram to the peer of a connection (option quic_datagrams). */
ZIG_H3_API int32_t zig_h3_conn_send_datagram(zig_h3_handle conn, const void *data, size_t len, uint32_t max_age_ms, uint32_t flags);

/* Sends an HTTP/3 datagram of a request, whose route must have ZIG_H3_ROUTE_DATAGRAM, or of a fetch with ZIG_H3_FETCH_DATAGRAMS. */
ZIG_H3_API int32_t zig_h3_request_send_datagram(zig_h3_handle request, const void *data, size_t len, uint32_t max_age_ms, uint32_t flags);

/* The same functions under their older names, which stay. */
ZIG_H3_API int32_t zig_h3_server_send_quic_datagram(zig_h3_handle conn, const void *data, size_t len, uint32_t max_age_ms,
                                                    uint32_t flags);
ZIG_H3_API int32_t zig_h3_response_send_h3_datagram(zig_h3_handle request, const void *data, size_t len, uint32_t max_age_ms,
                                                    uint32_t flags);

/* Sends a datagram of a session. */
ZIG_H3_API int32_t zig_h3_wt_send_datagram(zig_h3_handle session, const void *data, size_t len, uint32_t max_age_ms, uint32_t flags);

/* One of the datagrams that zig_h3_send_datagrams() takes, packed one behind the other at multiples of 8: this head, then len
 * bytes. */
typedef struct zig_h3_datagram {
    uint64_t object;     /*  0  session, request, fetch or connection; any other live handle is ZIG_H3_ERR_WRONG_KIND */
    uint32_t len;        /*  8  bytes */
    uint32_t max_age_ms; /* 12 */
    int32_t result;      /* 16  out: what the call of its own would have returned */
    uint32_t reserved;   /* 20  0 */
} zig_h3_datagram;

/*
 * Sends many datagrams, of any objects, in one call: list_len bytes at list, heads with their payloads (the filler behind the last
 * one may be missing; list need not be aligned). Writes the result of each into its head. Returns how many were queued, or
 * ZIG_H3_ERR_INVALID_ARGUMENT when the list is cut short, or flags are unknown: then none was, and no result is written.
 */
ZIG_H3_API int32_t zig_h3_send_datagrams(void *list, size_t list_len, uint32_t flags);

/* ------------------------------------------------------------------------------------------------------------------ clients */

/* What a client is made with. Zero and NULL mean the default. docs/client-options.md lists the keys of options. */
typedef struct zig_h3_client_config {
    uint32_t size;       /*  0  sizeof(zig_h3_client_config) */
    uint32_t reserved;   /*  4  0 */
    const char *options; /*  8  JSON text, or NULL */
    size_t options_len;  /* 16  bytes */
} zig_h3_client_config;

/*
 * Makes a client that delivers to queue. It keeps connections for all that is asked of it; certificates are read here, nothing is bound or
 * connected before something is asked for. config may be NULL. Waits for the engine, for milliseconds, at most ten seconds.
 * Returns 0, or ZIG_H3_ERR_INVALID_ARGUMENT (out is NULL, size is wrong as for zig_h3_queue_new(), reserved is not 0, options is NULL and
 * options_len is not 0), _CONFIG, _CERTIFICATE, _LIMIT, _NO_MEMORY, _TIMEOUT.
 */
ZIG_H3_API int32_t zig_h3_client_new(const zig_h3_client_config *config, zig_h3_handle queue, zig_h3_handle *out);

/*
 * Frees a client: its fetches, sessions and connections end, their last events and CLIENT_CLOSED still come, but its handle is stale from now on.
 * Freeing it again, or one whose CLIENT_CLOSED has come, returns ZIG_H3_ERR_STALE_HANDLE and does nothing. Does not wait for that. Returns 0, or
 * ZIG_H3_ERR_NO_MEMORY (nothing happened), _TIMEOUT as zig_h3_server_free().
 */
ZIG_H3_API int32_t zig_h3_client_free(zig_h3_handle client);

/*
 * Closes a client in the regular way: it takes no more (what is asked for ends with ZIG_H3_ERR_SHUTDOWN), fetches that run may finish for
 * deadline_ms, then sessions and connections are closed, and CLIENT_CLOSED comes last: with it the client is freed. deadline_ms 0 ends everything
 * now; a negative number waits for as long as fetches run. A second call with a shorter deadline shortens it. Does not wait for that. Returns as
 * zig_h3_client_free().
 */
ZIG_H3_API int32_t zig_h3_client_close(zig_h3_handle client, int32_t deadline_ms);

/*
 * Sees to it that there is a connection to the origin of a URL (its path does not matter) before something is asked for: the next fetch costs no
 * handshake. One that is there will do. *out is a handle until CONNECT_DONE, which follows once; user_data comes back in it. A connection that
 * nobody uses is closed after the option idle_connection_ms. Waits as a fetch does, within max_queued and queue_timeout_ms.
 * Returns 0, or ZIG_H3_ERR_INVALID_ARGUMENT (url or out is NULL, a URL that a fetch would not take), _TOO_LARGE, _LIMIT, _NO_MEMORY, _WOULD_BLOCK (a
 * WRITABLE of the client follows).
 */
ZIG_H3_API int32_t zig_h3_client_connect(zig_h3_handle client, const char *url, size_t url_len, uint64_t user_data, zig_h3_handle *out);

enum zig_h3_fetch_flag {
    ZIG_H3_FETCH_END = 0x1,      /* body is all of it, or there is none: nothing is written afterwards */
    ZIG_H3_FETCH_DATAGRAMS = 0x2, /* HTTP/3 datagrams of it are delivered, and may be sent (RFC 9297); it is never sent a second time */
    ZIG_H3_FETCH_LATER = 0x4     /* more follows at once: the engine need not be woken before zig_h3_flush() or a call without this */
};

/* What a fetch is asked for with. Zero and NULL mean the default. */
typedef struct zig_h3_fetch_config {
    uint32_t size;               /*  0  sizeof(zig_h3_fetch_config) */
    uint32_t flags;              /*  4  enum zig_h3_fetch_flag */
    const char *method;          /*  8  a token of at most 64 bytes; default: GET */
    const char *url;             /* 16  https://host[:port][/path][?query], in ASCII; what follows a # is left out */
    size_t url_len;              /* 24  bytes, at most 64 KiB */
    const void *headers;         /* 32  a packed list (see zig_h3_record), names in any case; host takes the place of the URL's */
    size_t headers_len;          /* 40  bytes, at most 64 KiB */
    const void *body;            /* 48  the request's body, or its begin */
    size_t body_len;             /* 56  bytes, at most 2 GiB */
    uint64_t collect;            /* 64  most bytes of the response's body, which then needs no credit; 0: any number, by credit */
    int32_t response_timeout_ms; /* 72  until the response's head; 0: the client's option, negative: for ever */
    int32_t request_timeout_ms;  /* 76  until FETCH_DONE; likewise */
    uint64_t user_data;          /* 80  comes back in all events of the fetch but WRITABLE */
} zig_h3_fetch_config;

/*
 * Asks for something: *out is the fetch, a live handle at once, which takes writes at once where the flag END is not given. Does not wait for
 * a connection; where none is there, one is made.
 *
 * INFORMATIONAL (0 or more), RESPONSE, BODY (0 or more), BODY_END, and FETCH_DONE come of it; of its own body WRITABLE, and STREAM_STOPPED when the
 * server wants no more of that. Give BODY back by zig_h3_request_consumed(). FETCH_DONE comes once both bodies have ended, or at once when the
 * fetch fails; a body that ends early, breaks its content-length or is reset is a failure, never a short success.
 *
 * A fetch is sent once more only if it was never looked at, and the flag END was given. With that flag a body's content-length is added, else none.
 * What is no host, path or field to HTTP/3, and what finds the client closed, ends it by FETCH_DONE (ZIG_H3_ERR_INVALID_ARGUMENT,
 * _BAD_HEADER, _SHUTDOWN); one that a thread asked for just when another one's CLIENT_CLOSED came may have its end behind that.
 *
 * Returns 0, or ZIG_H3_ERR_INVALID_ARGUMENT (config, out or url is NULL, NULL with a length, size is wrong as for zig_h3_queue_new(), flags unknown,
 * a method that is no token, or CONNECT, a URL that is none, or http:, or has a user's name, a header list that ends inside a field), _BAD_HEADER,
 * _TOO_LARGE (url, headers, body), _LIMIT, _NO_MEMORY, or _WOULD_BLOCK: nothing was taken, since there is no room in the submission
 * ring, or, with a body of more than 16 KiB, since what waits of other requests and streams of the client has reached the option
 * max_queued_request_bytes. A WRITABLE of the client follows.
 */
ZIG_H3_API int32_t zig_h3_client_fetch(zig_h3_handle client, const zig_h3_fetch_config *config, zig_h3_handle *out);

/*
 * Gives a fetch another priority than the field priority among its headers did, if there was one (RFC 9218): urgency 0, before everything else, to 7,
 * and incremental 1 if parts of the response are of use before all of it is there. It counts for the body that is still to be sent, and a server
 * that knows of it is told for the response. No event follows. Returns 0, or ZIG_H3_ERR_INVALID_ARGUMENT (another number), _ENDED (it was cancelled),
 * _WOULD_BLOCK.
 */
ZIG_H3_API int32_t zig_h3_client_prioritize_fetch(zig_h3_handle fetch, uint32_t urgency, uint32_t incremental);

/* Gives a fetch up, both directions, with H3_REQUEST_CANCELLED: zig_h3_request_reset() with that code. FETCH_DONE with ZIG_H3_ERR_CANCELLED follows,
 * unless its end was on its way; a second time does nothing. So does CONNECT_DONE of what zig_h3_client_connect() gave: a connection that is being
 * made comes to be all the same. Returns 0. */
ZIG_H3_API int32_t zig_h3_client_cancel_fetch(zig_h3_handle fetch);

enum zig_h3_session_flag {
    ZIG_H3_SESSION_POOLED = 0x1 /* it may share its connection with fetches and other such sessions, as far as the server lets it */
};

/* What a session's connection is to use against congestion. Those that there are have the numbers that the session's counter congestion_control
 * tells them by. */
enum zig_h3_congestion_control {
    ZIG_H3_CONGESTION_OPTION = 0, /* what the client's option congestion_control says */
    ZIG_H3_CONGESTION_BBR = 1,    /* keeps queues short: what the W3C calls "low-latency" */
    ZIG_H3_CONGESTION_RENO = 2,   /* fills them: "throughput" */
    ZIG_H3_CONGESTION_AUTO = 3    /* one of them, by the path */
};

/* What a session is asked for with. Zero and NULL mean the default. */
typedef struct zig_h3_session_config {
    uint32_t size;               /*  0  sizeof(zig_h3_session_config) */
    uint32_t flags;              /*  4  enum zig_h3_session_flag */
    const char *url;             /*  8  as of a fetch */
    size_t url_len;              /* 16  bytes, at most 64 KiB */
    const void *headers;         /* 24  a packed list, as of a fetch; origin is one of them */
    size_t headers_len;          /* 32  bytes, at most 64 KiB */
    const void *protocols;       /* 40  those that are offered, the preferred one first: u16 length, bytes, again and again */
    size_t protocols_len;        /* 48  bytes, at most 32 KiB */
    uint64_t user_data;          /* 56  comes back in SESSION_OPENED and SESSION_CLOSED */
    uint32_t congestion_control; /* 64  enum zig_h3_congestion_control; 0 with POOLED, whose connection is not the session's alone. Since 1.3 */
    uint32_t reserved;           /* 68  0 */
} zig_h3_session_config;

/*
 * Asks a server for a WebTransport session: *out is its handle at once, and that of a session from then on, as those that servers are asked for.
 * SESSION_OPENED follows, or SESSION_CLOSED says why not: ZIG_H3_ERR_REJECTED (status: the server's), _NOT_NEGOTIATED (data names what the
 * server's SETTINGS lack), or what a fetch may end with. zig_h3_wt_close() gives it up before. zig_h3_wt_accept() and _reject() are
 * ZIG_H3_ERR_WRONG_STATE.
 * Returns as zig_h3_client_fetch(); ZIG_H3_ERR_INVALID_ARGUMENT also for a list of protocols that ends inside one, and for a congestion
 * control that is none, or with POOLED. One that the library was built without (BBR, with ZIG_H3_STOCK_QUIC) ends the session with ZIG_H3_ERR_CONFIG.
 */
ZIG_H3_API int32_t zig_h3_client_open_webtransport(zig_h3_handle client, const zig_h3_session_config *config, zig_h3_handle *out);

/* Counters of a client, as zig_h3_stats_snapshot() has a server's; names by zig_h3_client_stats_name(), as zig_h3_stats_name() gives those. Readable
 * until the client is freed, or CLIENT_CLOSED. Returns as zig_h3_stats_snapshot(). */
ZIG_H3_API int32_t zig_h3_client_stats_snapshot(zig_h3_handle client, uint64_t *values, size_t count);
ZIG_H3_API const char *zig_h3_client_stats_name(uint32_t index);

/* ---------------------------------------------------------------------------------------------------------- WebTransport */

/* Accepts a session: protocol (NULL for none) must be one that the peer offered in WT-Available-Protocols; headers is a packed list
 * for the response, or NULL. SESSION_OPENED follows, or SESSION_CLOSED; until then the session sends nothing. Returns 0, or
 * ZIG_H3_ERR_INVALID_ARGUMENT, _BAD_HEADER, _TOO_LARGE, _WRONG_STATE (it was decided already), _WOULD_BLOCK (nothing happened),
 * _NO_MEMORY. */
ZIG_H3_API int32_t zig_h3_wt_accept(zig_h3_handle session, const char *protocol, const void *headers, size_t headers_len);

/* Rejects a session with a status from 300 to 599 (ZIG_H3_ERR_BAD_HEADER for another), headers and a body, as zig_h3_response_send()
 * has them. SESSION_CLOSED with ZIG_H3_ERR_CANCELLED follows. Returns as zig_h3_wt_accept(). */
ZIG_H3_API int32_t zig_h3_wt_reject(zig_h3_handle session, uint32_t status, const void *headers, size_t headers_len,
                                    const void *body, size_t body_len);

/* Closes a session with a code and a reason of at most 1024 bytes of UTF-8, which the peer gets; streams that are open end. Before
 * the decision it rejects with 500. SESSION_CLOSED follows. A second time, and on one that was rejected, nothing happens. Returns 0,
 * or ZIG_H3_ERR_INVALID_ARGUMENT (reason too long, no UTF-8), _WOULD_BLOCK. */
ZIG_H3_API int32_t zig_h3_wt_close(zig_h3_handle session, uint32_t code, const char *reason, size_t reason_len);

/* Asks the peer to end the session soon (DRAIN_WEBTRANSPORT_SESSION capsule). Returns 0, or ZIG_H3_ERR_WRONG_STATE (not open, or
 * closed), _WOULD_BLOCK. */
ZIG_H3_API int32_t zig_h3_wt_drain(zig_h3_handle session);

/* The largest datagram that a session can send now, in bytes, or ZIG_H3_ERR_WRONG_STATE (not open, or closed), _NOT_NEGOTIATED. It
 * follows the path's MTU. */
ZIG_H3_API int32_t zig_h3_wt_max_datagram_size(zig_h3_handle session);

/* Counters of a session, as zig_h3_stats_snapshot() has them; names by zig_h3_wt_stats_name(), as zig_h3_stats_name() gives those.
 * Refreshed when something happens on the connection, at most every 100 ms. Readable until SESSION_CLOSED, which has them. Packets, bytes,
 * times and what congestion control does are the connection's: send_rate is in bytes a second, 0 as long as it is not known. Returns as
 * zig_h3_stats_snapshot(). */
ZIG_H3_API int32_t zig_h3_wt_stats_snapshot(zig_h3_handle session, uint64_t *values, size_t count);
ZIG_H3_API const char *zig_h3_wt_stats_name(uint32_t index);

/*
 * Keying material of a session (draft-ietf-webtrans-http3, 4.8): out_len bytes at out, 1 to 4096, which both ends of the session, and
 * nobody else, can derive from the TLS handshake, this session's id, a label and a context of at most 255 bytes each. Waits for the
 * engine, for less than a millisecond, at most ten seconds.
 * Returns 0, or ZIG_H3_ERR_INVALID_ARGUMENT, _WRONG_STATE (not open, or closed), _STALE_HANDLE, _NO_MEMORY, _TIMEOUT.
 */
ZIG_H3_API int32_t zig_h3_wt_export_keying_material(zig_h3_handle session, const void *label, size_t label_len, const void *context,
                                                    size_t context_len, void *out, size_t out_len);

enum zig_h3_wt_stream_kind { ZIG_H3_WT_BIDIRECTIONAL = 0, ZIG_H3_WT_UNIDIRECTIONAL = 1 };
enum zig_h3_wt_open_flag {
    ZIG_H3_WT_OPEN_WAIT = 0x1 /* wait for the peer's limit of streams instead of failing; at most 4096 of a kind do */
};

/*
 * Opens a stream: *out is its handle at once, and takes writes at once; STREAM_OPENED or STREAM_ENDED follows. kind: enum
 * zig_h3_wt_stream_kind. Returns 0, or ZIG_H3_ERR_INVALID_ARGUMENT, _WRONG_STATE (the session is not open, or was closed), _LIMIT,
 * _WOULD_BLOCK (no room in the submission ring, or thousands of events wait that the queue has no room for: drain it).
 */
ZIG_H3_API int32_t zig_h3_wt_open_stream(zig_h3_handle session, uint32_t kind, uint32_t flags, zig_h3_handle *out);

/* As zig_h3_request_write(): *taken of len bytes were taken; a WRITABLE event of the stream follows when that is fewer.
 * ZIG_H3_ERR_ENDED once this side was finished or reset, behind STREAM_STOPPED, and on a unidirectional stream of the peer. */
ZIG_H3_API int32_t zig_h3_wt_stream_write(zig_h3_handle stream, const void *data, size_t len, size_t *taken);

/*
 * Writes len bytes, at most 64 KiB and the high-water mark, that are to be sent all at once or not at all, as W3C's atomicWrite() has
 * it. A STREAM_ATOMIC event says which it was; until then they count against the high-water mark. Of a stream that is not there yet
 * (before its STREAM_OPENED) nothing is sent.
 * Returns 0, or ZIG_H3_ERR_WOULD_BLOCK (beyond the mark, or no room in the submission ring: nothing was taken, a WRITABLE event follows), _ENDED
 * as zig_h3_wt_stream_write(), _TOO_LARGE, _INVALID_ARGUMENT (NULL with a length), _NO_MEMORY.
 */
ZIG_H3_API int32_t zig_h3_wt_stream_write_atomic(zig_h3_handle stream, const void *data, size_t len);

/* Marks what was written so far, and zig_h3_wt_stream_write() took, as reliable: the peer gets it even if this side is reset later
 * (RESET_STREAM_AT), where the peer has negotiated that. Also behind zig_h3_wt_stream_end(). No event follows. Returns 0, or
 * ZIG_H3_ERR_ENDED as zig_h3_wt_stream_reset(), _WOULD_BLOCK (nothing happened). */
ZIG_H3_API int32_t zig_h3_wt_stream_commit(zig_h3_handle stream);

/* Finishes this side of a stream, after what was written. A WRITABLE event with flag END says that all of it is on its way, unless
 * STREAM_ENDED follows at once. Returns 0, or ZIG_H3_ERR_ENDED as zig_h3_wt_stream_write(), _WOULD_BLOCK. */
ZIG_H3_API int32_t zig_h3_wt_stream_end(zig_h3_handle stream);

/* Resets this side of a stream with an application code (32 bits). What was written may be lost, but for what zig_h3_wt_stream_commit()
 * has marked: that is sent first, counts against the high-water mark as long, and STREAM_ENDED waits for it. Also for a side that was
 * finished and is still on its way. Returns 0, or ZIG_H3_ERR_ENDED (reset already, stopped by the peer, or a unidirectional stream of the
 * peer's). */
ZIG_H3_API int32_t zig_h3_wt_stream_reset(zig_h3_handle stream, uint32_t code);

/* Tells the peer to stop sending, with an application code. No data after what is queued already. Returns 0, or ZIG_H3_ERR_ENDED
 * (stopped already, all of it has come or was reset, or a unidirectional stream of ours). */
ZIG_H3_API int32_t zig_h3_wt_stream_stop(zig_h3_handle stream, uint32_t code);

/* Says that n bytes of a stream were dealt with: only this lets the peer send more. As zig_h3_request_consumed(). */
ZIG_H3_API int32_t zig_h3_wt_stream_consumed(zig_h3_handle stream, uint64_t n);

/* Ranks a stream against others of its session for sending: streams of one group with a higher order go first, groups share. The
 * default is group 0, order 0. Returns 0 or ZIG_H3_ERR_WOULD_BLOCK. */
ZIG_H3_API int32_t zig_h3_wt_stream_priority(zig_h3_handle stream, uint32_t group, int64_t order);

/* Wakes the engine for what was sent with ZIG_H3_SEND_LATER, or asked for with ZIG_H3_FETCH_LATER. Cheap when there is nothing. Returns 0. */
ZIG_H3_API int32_t zig_h3_flush(void);

#ifdef __cplusplus
}
#endif
#endif
