//go:build ignore

// Beside stream_header.go in quic-go's package quic: what is read of a stream whose data and reset are dealt with before anybody reads it.

package quic

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/quic-go/quic-go/internal/monotime"
	"github.com/quic-go/quic-go/internal/protocol"
	"github.com/quic-go/quic-go/internal/utils"
	"github.com/quic-go/quic-go/internal/wire"
)

// A completion counts how often a stream says that it is done with.
type completion struct {
	streamSender
	times int
}

func (c *completion) onStreamCompleted(protocol.StreamID) { c.times++ }

const resetCode = 7

// arrival is a stream of a connection with a window of 100 bytes.
func arrival() (*ReceiveStream, *completion, *connectionFlowController) {
	done := new(completion)
	rtt := utils.NewRTTStats()
	conn := newConnectionFlowController(100, 100, func(protocol.ByteCount) bool { return true }, rtt, utils.DefaultLogger)
	flow := newStreamFlowController(2, conn, 100, 100, 0, rtt, utils.DefaultLogger)
	return newReceiveStream(2, done, flow), done, conn
}

// comes delivers data at an offset.
func comes(t *testing.T, s *ReceiveStream, offset int, data ...byte) {
	t.Helper()
	if err := s.handleStreamFrame(&wire.StreamFrame{StreamID: 2, Offset: protocol.ByteCount(offset), Data: data}, monotime.Now()); err != nil {
		t.Fatal(err)
	}
}

// reset delivers RESET_STREAM: of the size that all has, and of what of it is reliable.
func reset(t *testing.T, s *ReceiveStream, size, reliable int) {
	t.Helper()
	frame := &wire.ResetStreamFrame{StreamID: 2, ErrorCode: resetCode, FinalSize: protocol.ByteCount(size), ReliableSize: protocol.ByteCount(reliable)}
	if err := s.handleResetStreamFrame(frame, monotime.Now()); err != nil {
		t.Fatal(err)
	}
}

// read reads to the end, which must be the reset, after as much as fits a buffer of its size each time.
func read(t *testing.T, s *ReceiveStream, size int) []byte {
	t.Helper()
	var all []byte
	for {
		b := make([]byte, size)
		n, err := s.Read(b)
		all = append(all, b[:n]...)
		var ended *StreamError
		if errors.As(err, &ended) && ended.Remote && ended.ErrorCode == resetCode {
			return all
		}
		if err != nil {
			t.Fatalf("after %x: %v", all, err)
		}
	}
}

func TestHeaderOfASessionsStreamOutlivesAReset(t *testing.T) {
	tests := []struct {
		name      string
		data      []byte
		kept      []byte // with reads of a byte each
		reliable  int
		separated bool // each byte comes in a frame of its own
	}{
		{"uni, one byte of id", []byte{0x40, 0x54, 4}, []byte{0x40, 0x54, 4}, 0, false},
		{"bidi, two bytes of id", []byte{0x40, 0x41, 0x41, 0}, []byte{0x40, 0x41, 0x41, 0}, 0, false},
		{"bidi, eight bytes of id", []byte{0x40, 0x41, 0xc0, 0, 0, 0, 0, 0, 1, 0}, []byte{0x40, 0x41, 0xc0, 0, 0, 0, 0, 0, 1, 0}, 0, false},
		{"data behind it", []byte{0x40, 0x54, 4, 1, 2, 3}, []byte{0x40, 0x54, 4}, 0, false},
		{"in pieces", []byte{0x40, 0x54, 0x44, 1, 2}, []byte{0x40, 0x54, 0x44, 1}, 0, true},
		{"more is reliable", []byte{0x40, 0x54, 4, 1, 2, 3}, []byte{0x40, 0x54, 4, 1, 2}, 5, false},
		{"less is reliable", []byte{0x40, 0x54, 4, 1, 2, 3}, []byte{0x40, 0x54, 4}, 1, false},
		{"not all of it is there", []byte{0x40, 0x54, 0x44}, nil, 0, false},
		{"nothing of the id is there", []byte{0x40, 0x54}, nil, 0, false},
		{"another type", []byte{0x40, 0x55, 4}, nil, 0, false},
		{"a request", []byte{1, 0x41, 4}, nil, 0, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, done, conn := arrival()
			if test.separated {
				for i := len(test.data) - 1; i >= 0; i-- {
					comes(t, s, i, test.data[i])
				}
			} else {
				comes(t, s, 0, test.data...)
			}
			reset(t, s, 50, test.reliable)
			reset(t, s, 50, test.reliable) // it was sent again
			if got := read(t, s, 1); !bytes.Equal(got, test.kept) {
				t.Errorf("read %x, want %x", got, test.kept)
			}
			if done.times != 1 || conn.bytesRead != 50 {
				t.Errorf("done with %d times, %d bytes given back; want 1, 50", done.times, conn.bytesRead)
			}
		})
	}
}

func TestHeaderThatWasPeekedAtOutlivesAReset(t *testing.T) {
	s, done, conn := arrival()
	comes(t, s, 0, 0x40, 0x54, 0x44)
	comes(t, s, 3, 1, 9)
	b := make([]byte, 1)
	if n, err := s.Peek(b); n != 1 || err != nil {
		t.Fatalf("peeked at %d bytes, %v", n, err)
	}
	reset(t, s, 5, 0)
	header := make([]byte, 4)
	if n, err := s.Peek(header); n != 4 || err != nil {
		t.Fatalf("peeked at %d bytes, %v", n, err)
	}
	if _, err := io.ReadFull(s, header); err != nil || !bytes.Equal(header, []byte{0x40, 0x54, 0x44, 1}) {
		t.Fatalf("read %x, %v", header, err)
	}
	if got := read(t, s, 8); len(got) != 0 || done.times != 1 || conn.bytesRead != 5 {
		t.Errorf("read %x, done with %d times, %d bytes given back; want nothing more, 1, 5", got, done.times, conn.bytesRead)
	}
}

func TestNothingOutlivesAResetOfAStreamThatIsReadOrGivenUp(t *testing.T) {
	t.Run("read", func(t *testing.T) {
		s, done, conn := arrival()
		comes(t, s, 0, 0x40, 0x54, 4, 1)
		if _, err := s.Read(make([]byte, 2)); err != nil {
			t.Fatal(err)
		}
		reset(t, s, 50, 0)
		if got := read(t, s, 8); len(got) != 0 || done.times != 1 || conn.bytesRead != 50 {
			t.Errorf("read %x, done with %d times, %d bytes given back; want nothing, 1, 50", got, done.times, conn.bytesRead)
		}
	})
	t.Run("given up before", func(t *testing.T) {
		s, done, conn := arrival()
		comes(t, s, 0, 0x40, 0x54, 4, 1)
		s.sender = &heard{completion: done}
		s.CancelRead(1)
		reset(t, s, 50, 0)
		if done.times != 1 || conn.bytesRead != 50 {
			t.Errorf("done with %d times, %d bytes given back; want 1, 50", done.times, conn.bytesRead)
		}
	})
	t.Run("given up after", func(t *testing.T) {
		s, done, conn := arrival()
		comes(t, s, 0, 0x40, 0x54, 4, 1)
		reset(t, s, 50, 0)
		s.CancelRead(1)
		if done.times != 1 || conn.bytesRead != 50 {
			t.Errorf("done with %d times, %d bytes given back; want 1, 50", done.times, conn.bytesRead)
		}
	})
}

// heard is a completion that takes control frames, too.
type heard struct{ *completion }

func (heard) onHasStreamControlFrame(protocol.StreamID, streamControlFrameGetter) {}
