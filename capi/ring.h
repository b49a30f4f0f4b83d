/*
 * ring.h: the ring between the engine and a consumer, in C: eventq/doc.go states its layout, ownership and order, eventq/layout_test.go
 * holds the numbers below against Go's. Here C is the producer of submissions, the consumer of events, and the owner of the memory.
 *
 * A ring is one mapping that begins with struct h3_ring. Mappings are never undone, so that a thread which comes late touches
 * memory that is still a ring; a freed one serves the next queue of the same size. The host gets a second mapping of the same memory, which it
 * cannot write: what it overwrites by mistake it overwrites elsewhere.
 */
#ifndef H3_RING_H
#define H3_RING_H

#include <stddef.h>
#include <stdint.h>

#include "../include/zig_h3.h"

#define H3_RING_MAGIC 0x3152334855475aull
#define H3_RING_AT_CAPACITY 8
#define H3_RING_AT_TAIL 128
#define H3_RING_AT_HEAD 256
#define H3_RING_AT_ARMED 384
#define H3_RING_AT_WAKE_FD 388
#define H3_RING_AT_HUNGRY 512
#define H3_RING_AT_PRIVATE 640
#define H3_RING_AT_DATA 4096
#define H3_RING_BLOCK 64
#define H3_RING_HEAD 64
#define H3_RING_CLOSED 1
#define H3_RING_MAX_PAYLOAD 131072
#define H3_RING_MIN_CAPACITY 4096
#define H3_RING_MAX_CAPACITY 1073741824

#pragma GCC visibility push(hidden)

typedef struct h3_ring h3_ring;

/* ------------------------------------------------------------------------------------------------------------------- memory */

/* A new, empty ring whose data area has capacity bytes (a power of two from H3_RING_MIN_CAPACITY to H3_RING_MAX_CAPACITY). NULL
 * with errno if the system has no memory or no descriptor for it. */
h3_ring *h3_ring_new(size_t capacity);

/* Keeps a ring for reuse. Nobody may consume it any more, and eventq's Close and then Quiet must have said that nobody produces
 * (a ring that C alone produces to: h3_ring_close, and no claim outstanding). NULL is fine. */
void h3_ring_recycle(h3_ring *ring);

/* Lets no claim succeed from now on. */
void h3_ring_close(h3_ring *ring);

/* The same memory where it can only be read. */
const void *h3_ring_view(const h3_ring *ring);

/* Bytes of the whole mapping, the page of the header included. */
size_t h3_ring_bytes(const h3_ring *ring);

/* Bytes in use, fillers included: what is claimed and not yet released. */
uint64_t h3_ring_depth(h3_ring *ring);

/* The descriptor that becomes readable when an armed ring gets a record. It keeps its number for as long as the ring is in use. */
int h3_ring_fd(const h3_ring *ring);

/* ----------------------------------------------------------------------------------------------- producers, from any thread */

/* Claims a record with payload bytes of payload (at most H3_RING_MAX_PAYLOAD, and half the capacity less a head). NULL: there is no
 * room, or the ring is closed; the consumer is then woken, and asked to ring the doorbell. Fill all but size, then publish or
 * abort, at once: what is claimed later waits behind it. */
zig_h3_record *h3_ring_claim(h3_ring *ring, size_t payload);

/* Makes a claimed record visible, with the payload that it was claimed with. The consumer is not woken: h3_ring_wake() does that. */
void h3_ring_publish(h3_ring *ring, zig_h3_record *record, size_t payload);

/* Gives a claimed record up: a filler takes its place. */
void h3_ring_abort(h3_ring *ring, zig_h3_record *record, size_t payload);

/* Writes the descriptor if the consumer sleeps: after one publish or after many. A load when it does not. Keeps errno. */
void h3_ring_wake(h3_ring *ring);

/* ----------------------------------------------------------------------------------------------- consumer, one at a time */

/* The next published record, or NULL. Fillers are passed over. The record is not taken: the next call gives the same. */
const zig_h3_record *h3_ring_peek(h3_ring *ring);

/* The size of the record that peek gave last. */
uint32_t h3_ring_peeked(const h3_ring *ring);

/* Takes the record that peek gave last. Its memory stays as it is until release. */
void h3_ring_take(h3_ring *ring, const zig_h3_record *record);

/* Gives the memory of all that was taken back to the producers. */
void h3_ring_release(h3_ring *ring);

/* Published records as they stand in memory, at most max, fillers included, from the first that was not taken up to the end of the
 * data area at most. Returns how many; *offset counts from the start of the mapping. Takes nothing. */
uint32_t h3_ring_span(h3_ring *ring, uint32_t max, uint64_t *offset, uint64_t *bytes);

/* Takes and releases the first bytes of what is published. 0, or -1 if they end inside a record or beyond what span can give. */
int h3_ring_advance(h3_ring *ring, uint64_t bytes);

/* Asks for one write to the descriptor at the next record. 0: armed, the consumer may sleep. 1: there is a record, nothing is armed.
 * Fillers are passed over, and released unless a record was taken and not released. */
int h3_ring_arm(h3_ring *ring);

/* Takes an arm back; the write may have happened. */
void h3_ring_disarm(h3_ring *ring);

/* Whether nothing is claimed that was not released, and no producer has asked to be told that there is room. Any thread may ask. */
int h3_ring_idle(h3_ring *ring);

/* 1 if the producers are to be told that there is room (then once): they asked, and a quarter of the ring was taken since the last
 * time or nothing more is published. To be asked after release, and after arm returned 0. */
int h3_ring_doorbell(h3_ring *ring);

#pragma GCC visibility pop

#endif
