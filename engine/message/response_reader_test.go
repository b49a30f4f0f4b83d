package message

import (
	"errors"
	"testing"

	"github.com/quic-go/quic-go/http3"

	"zigh3/engine/enginetest"
	"zigh3/engine/wire"
)

// Heads of a response are read one by one, and what may not stand in front of them ends the connection with its own code.
func TestHeadsOfAResponse(t *testing.T) {
	c, s := enginetest.Pair(t, nil, nil)
	lim := wire.NewFieldLimits(1 << 10)
	headers := func(text string) []byte {
		return append(wire.AppendFrameHead(nil, wire.FrameHeaders, uint64(len(text))), text...)
	}
	for _, k := range []struct {
		name  string
		bytes []byte
		heads []string
		code  http3.ErrCode
	}{
		{"one", headers("a"), []string{"a"}, http3.ErrCodeRequestIncomplete},
		{"three", enginetest.Join(headers("a"), headers("b"), enginetest.Frame(enginetest.Grease), headers("c")), []string{"a", "b", "c"}, http3.ErrCodeRequestIncomplete},
		{"DATA between", enginetest.Join(headers("a"), enginetest.Frame(wire.FrameData, "x")), []string{"a"}, http3.ErrCodeFrameUnexpected},
		{"a push", enginetest.Frame(wire.FramePushPromise, 0, "x"), nil, http3.ErrCodeIDError},
		{"SETTINGS", enginetest.Frame(wire.FrameSettings), nil, http3.ErrCodeFrameUnexpected},
		{"a session's stream", enginetest.Varints(int(wire.StreamTypeBidi), 0), nil, http3.ErrCodeFrameError},
	} {
		ours, theirs := streams(t, c, s)
		ours.Write(k.bytes)
		ours.Close()
		r := NewResponseReader(theirs, lim)
		var err error
		for i := 0; err == nil; i++ {
			var head []byte
			head, _, err = r.ReadHead(100)
			if err == nil && (i >= len(k.heads) || string(head) != k.heads[i]) {
				t.Errorf("%s: head %d is %q", k.name, i, head)
			}
		}
		var conn *wire.ConnectionError
		var stream *wire.StreamError
		switch {
		case errors.As(err, &conn) && conn.Code == k.code, errors.As(err, &stream) && stream.Code == k.code:
		default:
			t.Errorf("%s: %v", k.name, err)
		}
	}
}

// So many informational heads may stand in front of a response, and not one more.
func TestInformationalHeadsHaveALimit(t *testing.T) {
	c, s := enginetest.Pair(t, nil, nil)
	for _, n := range []int{mostInformational, mostInformational + 1} {
		ours, theirs := streams(t, c, s)
		for range n {
			ours.Write(enginetest.Headers(":status", "103"))
		}
		ours.Write(enginetest.Headers(":status", "200"))
		ours.Close()
		heads := 0
		err := NewResponseReader(theirs, wire.NewFieldLimits(1<<10)).ReadResponse(func(*wire.ResponseHead, []byte) error {
			heads++
			return nil
		})
		if n == mostInformational && (err != nil || heads != n+1) || n > mostInformational && (err != errInformational || heads != mostInformational) {
			t.Errorf("%d in front: %d heads, %v", n, heads, err)
		}
	}
}
