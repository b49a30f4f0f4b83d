/*
 * The way from the host's threads to the engine: one ring, whose reader is the reactor (reactor.go). The records have the shape of
 * events; what their fields mean here stands at the types.
 */
#ifndef CAPI_SUBMISSION_H
#define CAPI_SUBMISSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../include/zig_h3.h"
#include "reactor.h"

/* object: what it is about. Where there is a body it is data, data_len bytes in place, or at the address in aux (SUBMIT_CHUNK). */
enum submission_type {
    SUBMIT_COMMAND = 1, /* aux: a struct command */
    /* Requests; those from WRITE to CONSUMED streams too. */
    SUBMIT_SEND,        /* a whole response. status; meta: headers; data: body. With SUBMIT_UNSENT aux is the length of one that is not sent */
    SUBMIT_TRAILERS,    /* data: trailers. With SUBMIT_START as in WRITE */
    SUBMIT_WRITE,       /* data: part of a body. With SUBMIT_START the headers come first: status; meta */
    SUBMIT_END,         /* data: last part of a body */
    SUBMIT_RESET,       /* aux: error code */
    SUBMIT_STOP,        /* aux: error code, of a stream */
    SUBMIT_CONSUMED,    /* aux: bytes */
    SUBMIT_PRIORITY,    /* stream. status: group; aux: order. fetch. status: urgency; aux: 1 if parts of it are of use */
    SUBMIT_ATOMIC,      /* stream. data: what is to be sent all at once or not at all */
    SUBMIT_COMMIT,      /* stream */
    /* Sessions. */
    SUBMIT_ACCEPT,      /* meta: headers; data: protocol */
    SUBMIT_REJECT,      /* status; meta: headers; data: body */
    SUBMIT_CLOSE,       /* status: code; data: reason */
    SUBMIT_DRAIN,
    SUBMIT_OPEN,        /* aux: the stream; status: the number of the sink that tells of it; SUBMIT_UNIDIRECTIONAL, SUBMIT_WAIT */
    /* Clients. parent: the fetch, session or connection that is wanted; status: the number of the client's sink. */
    SUBMIT_FETCH,       /* meta: struct fetch_wish, its strings, headers; data: body */
    SUBMIT_SESSION,     /* meta: struct session_wish, its strings, headers */
    SUBMIT_CONNECT,     /* meta: the authority */
    /* Whatever sends them. */
    SUBMIT_DATAGRAM,    /* status: most milliseconds that it may wait; data */
    SUBMIT_OVERSIZED,   /* a datagram of the object's was refused for its size: to be counted */
    SUBMIT_DATAGRAMS    /* object: 0; data: zig_h3_datagram heads, each followed by its bytes, at multiples of 8 */
};

enum submission_flag {
    SUBMIT_FORGET = 0x1,
    SUBMIT_CHUNK = 0x2,
    SUBMIT_START = 0x4,
    SUBMIT_UNIDIRECTIONAL = 0x8,
    SUBMIT_WAIT = 0x10,
    SUBMIT_UNSENT = 0x20
};

/* A record that is being filled. */
struct submission {
    zig_h3_record *record;
    size_t payload;
};

/*
 * The reactor has read a record before its room comes to another one. ThreadSanitizer cannot know: it does not see what Go does. So the
 * library that is built for it hands on what was written before a record left, and its size, which is written as it leaves, to
 * whoever claims the room later.
 */
#ifdef __SANITIZE_THREAD__
void submission_leaves(void);
void submission_comes(zig_h3_record *record, size_t payload);
#else
static inline void submission_leaves(void) {}
static inline void submission_comes(zig_h3_record *record, size_t payload) { (void)record, (void)payload; }
#endif

/* A build for tests (-DSUBMISSION_REFUSES) takes the ring for full most of the time. */
#ifdef SUBMISSION_REFUSES
bool submission_refuses(void);
#else
static inline bool submission_refuses(void) { return false; }
#endif

/* Room for a record; NULL if there is none now. Its type, flags, object, meta_len, data_len and aux must be filled in. */
static inline zig_h3_record *submission_claim(struct submission *at, size_t payload)
{
    at->payload = payload;
    at->record = submission_refuses() ? NULL : h3_ring_claim(reactor_ring, payload);
    if (at->record != NULL)
        submission_comes(at->record, payload);
    return at->record;
}

static inline uint8_t *submission_payload(zig_h3_record *record)
{
    return (uint8_t *)(record + 1);
}

/* Hands the record over; later: somebody else will wake the engine. */
static inline void submission_publish(struct submission *at, bool later)
{
    submission_leaves();
    h3_ring_publish(reactor_ring, at->record, at->payload);
    if (!later)
        h3_ring_wake(reactor_ring);
}

static inline void submission_abandon(struct submission *at)
{
    submission_leaves();
    h3_ring_abort(reactor_ring, at->record, at->payload);
}

/* Hands over a record without a payload: ZIG_H3_OK, or what a call returns that found no room, which is noted as refused. */
int32_t submission_put(const zig_h3_record *record);

/* Hands a struct command over. False when there is no room. */
bool submission_command(void *command);

#endif
