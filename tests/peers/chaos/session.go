package main

import (
	"context"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/quic-go/webtransport-go"
)

var sessionPaths = []string{"/wt", "/wt", "/wt", "/wt/b?c=d", "/hello", "/wt/"}

// session asks for a session, uses it from several goroutines, and ends it or leaves it.
func (p *peer) session(r *rand.Rand) {
	p.n.sessions.Add(1)
	ctx, cancel := context.WithTimeout(p.ctx, time.Duration(1+r.IntN(300))*time.Millisecond)
	defer cancel()
	response, s, err := p.wt.Dial(ctx, "https://localhost"+sessionPaths[r.IntN(len(sessionPaths))], nil)
	if err != nil {
		if response != nil && response.Body != nil {
			response.Body.Close()
		}
		return
	}
	p.n.opened.Add(1)
	var wg sync.WaitGroup
	for _, act := range []func(context.Context, *webtransport.Session, *rand.Rand){sends, sends, takes, takesUni, datagrams} {
		own := rand.New(rand.NewPCG(r.Uint64(), r.Uint64()))
		if own.IntN(4) == 0 {
			continue
		}
		wg.Go(func() { act(ctx, s, own) })
	}
	if r.IntN(2) == 0 {
		pause(r, 50) // ends it under them
	} else {
		wg.Wait()
	}
	if r.IntN(4) > 0 {
		s.CloseWithError(webtransport.SessionErrorCode(r.Uint32()), strings.Repeat("r", r.IntN(2)*r.IntN(1024)))
	}
	cancel()
	wg.Wait()
}

// sends opens streams of both kinds, and ends each side of them in one way or another.
func sends(ctx context.Context, s *webtransport.Session, r *rand.Rand) {
	for ctx.Err() == nil && s.Context().Err() == nil {
		if r.IntN(2) == 0 {
			str, err := s.OpenUniStream()
			if err != nil {
				pause(r, 5)
				continue
			}
			sendSide(str, r)
			continue
		}
		str, err := s.OpenStream()
		if err != nil {
			pause(r, 5)
			continue
		}
		own := rand.New(rand.NewPCG(r.Uint64(), r.Uint64()))
		done := make(chan struct{})
		go func() {
			defer close(done)
			receiveSide(str, own)
		}()
		sendSide(str, r)
		<-done
	}
}

type sendStream interface {
	io.WriteCloser
	CancelWrite(webtransport.StreamErrorCode)
	SetWriteDeadline(time.Time) error
}

func sendSide(str sendStream, r *rand.Rand) {
	str.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
	for range r.IntN(4) {
		if _, err := str.Write(make([]byte, r.IntN(1<<(1+r.IntN(17))))); err != nil {
			break
		}
		pause(r, 1+r.IntN(5))
	}
	switch r.IntN(4) {
	case 0: // left as it is
	case 1:
		str.CancelWrite(webtransport.StreamErrorCode(r.Uint32()))
	default:
		str.Close()
		if r.IntN(4) == 0 {
			str.CancelWrite(7)
		}
	}
}

type receiveStream interface {
	io.Reader
	CancelRead(webtransport.StreamErrorCode)
	SetReadDeadline(time.Time) error
}

func receiveSide(str receiveStream, r *rand.Rand) {
	str.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	switch r.IntN(4) {
	case 0: // reads nothing
	case 1:
		io.CopyN(io.Discard, str, 100)
		str.CancelRead(webtransport.StreamErrorCode(r.Uint32()))
	case 2:
		str.CancelRead(0)
	default:
		io.Copy(io.Discard, str)
	}
}

func takes(ctx context.Context, s *webtransport.Session, r *rand.Rand) {
	for {
		str, err := s.AcceptStream(ctx)
		if err != nil {
			return
		}
		receiveSide(str, r)
		sendSide(str, r)
	}
}

func takesUni(ctx context.Context, s *webtransport.Session, r *rand.Rand) {
	for {
		str, err := s.AcceptUniStream(ctx)
		if err != nil {
			return
		}
		receiveSide(str, r)
	}
}

func datagrams(ctx context.Context, s *webtransport.Session, r *rand.Rand) {
	for ctx.Err() == nil && s.Context().Err() == nil {
		for range r.IntN(50) {
			s.SendDatagram(noise(r, 1400)) // the largest do not fit
		}
		if r.IntN(2) == 0 {
			within, cancel := context.WithTimeout(ctx, time.Millisecond)
			s.ReceiveDatagram(within)
			cancel()
		}
		pause(r, 5)
	}
}
