// Package eventq is the queue between the engine and its consumer: a ring with many producers and one consumer in memory that
// neither side moves, and behind it an overflow FIFO for what must not be lost. It knows nothing of HTTP. capi/ring.c is the same
// ring in C; layout_test.go holds the two against each other.
//
// # Layout
//
// All words are in native order (little-endian on every platform we build for). Words that different sides write lie 128 bytes
// apart, since processors fetch cache lines in pairs.
//
//	   0  u64 magic, u64 capacity (bytes of the data area, a power of two)
//	 128  u64 tail     next byte to claim, counted without end; producers move it by compare-and-swap. Bit 0: closed
//	 256  u64 head     next byte to read, counted without end; the consumer moves it
//	 384  u32 armed    1: the consumer sleeps and wants its descriptor written;  388  i32 wake fd
//	 512  u32 hungry   1: producers want a doorbell once room was freed
//	 640  private to capi/ring.c up to 4095
//	4096  data area
//
// A record begins at a multiple of 64 with a [Head] of 64 bytes, whose first word, the size, is zero until the record is
// published; its payload follows. It never crosses the end of the data area: a claim that would takes the rest up to the end as
// well, and publishes a filler there (type 0).
//
// # Ownership
//
// The memory belongs to whoever mapped it and outlives every Ring and Queue over it. Between Reserve and Commit (or Abort) a record
// belongs to its producer, from then until the consumer has advanced past it to the consumer. Before it advances, the consumer
// zeroes the first word of every 64-byte block, so that wherever a later record begins, its size reads 0.
//
// A mapping may be used again once [Queue.Close] was called and [Queue.Quiet] is true, provided that tail and head start at least
// two capacities behind the old tail: a producer that slept since before Close then finds neither its tail nor an open gate.
//
// # Concurrency
//
// Reserve, Commit, Abort, Lose, Room, Refill, Close, Stalled and Stats may be called from any goroutine. The consumer's half ([Ring.Peek], [Ring.Advance],
// [Ring.Drain], [Ring.Arm], [Ring.Doorbell]) belongs to one goroutine at a time.
//
// The common way through Reserve and Commit is one compare-and-swap and one store: no lock, no allocation. Whoever is preempted
// between the two delays what was reserved after him, and nobody else: no producer waits for another's commit.
//
// Order: records come out in the order of their reservations. When the ring is full, lossless records go to the FIFO, and as long
// as that holds any every later one follows it there, so what one producer commits, or two that wait for one another, stays in order.
//
// Both wake-ups are of Dekker's kind. Producer: publish, then look at armed; consumer: set armed, then look at the record. Producer:
// set hungry, then look for room; consumer: free room, then look at hungry. All of these are sequentially consistent, or (in C,
// where many are published before one look at armed) have a fence between them, so that one of the two always sees the other.
package eventq
