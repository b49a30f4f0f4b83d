package server

import (
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/qlog"
	"github.com/quic-go/quic-go/qlogwriter"
	"zigh3/engine/enginetest"
)

type zz struct {
	mu sync.Mutex
	n  int
}

func (z *zz) SupportsSchemas(string) bool           { return true }
func (z *zz) AddProducer() qlogwriter.Recorder      { return z }
func (z *zz) Close() error                          { return nil }
func (z *zz) RecordEvent(e qlogwriter.Event) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if os.Getenv("ZZ") == "" {
		return
	}
	pr := func(dir string, fs []qlog.Frame) {
		s := dir
		for _, f := range fs {
			s += fmt.Sprintf(" %T", f.Frame)
			switch x := f.Frame.(type) {
			case *qlog.StreamFrame:
				s += fmt.Sprintf("{%d len %d fin %v}", x.StreamID, x.Length, x.Fin)
			}
		}
		fmt.Println(s)
	}
	switch e := e.(type) {
	case qlog.PacketSent:
		pr(">", e.Frames)
	case qlog.PacketReceived:
		pr("<", e.Frames)
	}
}

func TestZZ(t *testing.T) {
	f := serveSessions(t, "", nil)
	z := &zz{}
	config := &quic.Config{EnableDatagrams: true, EnableStreamResetPartialDelivery: true, Tracer: func(context.Context, bool, quic.ConnectionID) qlogwriter.Trace { return z }}
	q, err := quic.DialAddr(ctx(t), f.addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h3"}}, config)
	if err != nil {
		t.Fatal(err)
	}
	c := enginetest.New(t, q, enginetest.Options{Dialect: enginetest.Draft15, MaxStreamsBidi: 100, MaxStreamsUni: 100, MaxData: 1 << 20})
	c.Settings()
	for i := 0; i < 3; i++ {
		fmt.Println("---- open")
		s := c.MustOpen("/wt")
		fmt.Println("---- close")
		s.CloseWithError(0, "")
	}
}
