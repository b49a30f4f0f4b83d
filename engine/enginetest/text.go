package enginetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"
)

// Answer is what came back on a stream in words that a test compares: "200 [name value]body", and how it ended if it did not end well.
// Of the fields content-length and date are left out.
func (c *Client) Answer(s *quic.Stream) string {
	p, err := io.ReadAll(s)
	text := Describe(p)
	var reset *quic.StreamError
	switch {
	case err == nil:
		return text
	case errors.As(err, &reset):
		if text != "" {
			text += ", "
		}
		return text + "reset " + CodeName(uint64(reset.ErrorCode))
	}
	return c.Closed()
}

// Describe is a response in those words.
func Describe(p []byte) string {
	var text strings.Builder
	for sections := 0; len(p) > 0; {
		typ, n, err := quicvarint.Parse(p)
		if err != nil {
			return text.String() + " cut"
		}
		length, m, err := quicvarint.Parse(p[n:])
		if err != nil || uint64(len(p)-n-m) < length {
			return text.String() + " cut"
		}
		payload := p[n+m : n+m+int(length)]
		p = p[n+m+int(length):]
		switch typ {
		case FrameHeaders:
			fields, err := Fields(payload)
			if err != nil {
				return text.String() + err.Error()
			}
			if sections++; sections == 1 && len(fields) > 1 {
				text.WriteString(fields[1] + " ")
				fields = fields[2:]
			}
			for i := 0; i < len(fields); i += 2 {
				if fields[i] != "date" && fields[i] != "content-length" {
					text.WriteString("[" + fields[i] + " " + fields[i+1] + "]")
				}
			}
		case FrameData:
			text.Write(payload)
		default:
			fmt.Fprintf(&text, "frame %#x ", typ)
		}
	}
	return strings.TrimSuffix(text.String(), " ")
}

// Closed waits for the server to close the connection and says with which code.
func (c *Client) Closed() string {
	ctx, cancel := patient()
	defer cancel()
	select {
	case <-c.Conn.Context().Done():
	case <-ctx.Done():
		return "the connection stays open"
	}
	var app *quic.ApplicationError
	if err := context.Cause(c.Conn.Context()); !errors.As(err, &app) || !app.Remote {
		return "connection ends: " + err.Error()
	}
	return "connection " + CodeName(uint64(app.ErrorCode))
}

// Lives asks a plain request, which shows that the connection does.
func (c *Client) Lives() {
	c.t.Helper()
	plain := Headers(":method", "GET", ":scheme", "https", ":authority", "example.com", ":path", "/")
	if got := c.Answer(c.Open(plain, true)); got != "200" {
		c.t.Errorf("a plain request afterwards: %q", got)
	}
}

// CodeName is the name of a code of HTTP/3, QPACK, or WebTransport.
func CodeName(code uint64) string {
	switch code {
	case uint64(http3.ErrCodeRequestIncomplete):
		return "H3_REQUEST_INCOMPLETE" // http3 writes its words the other way round
	case 0x201:
		return "QPACK_ENCODER_STREAM_ERROR"
	case 0x202:
		return "QPACK_DECODER_STREAM_ERROR"
	case uint64(CodeSessionGone):
		return "WT_SESSION_GONE"
	case uint64(CodeBufferedStreamRejected):
		return "WT_BUFFERED_STREAM_REJECTED"
	case uint64(CodeFlowControl):
		return "WT_FLOW_CONTROL_ERROR"
	case uint64(CodeRequirementsNotMet):
		return "WT_REQUIREMENTS_NOT_MET"
	}
	return http3.ErrCode(code).String()
}
