package get

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"zigh3/engine/cmd/h3/cli"
	"zigh3/engine/cmd/h3/peer"
	"zigh3/engine/cmd/h3/queue"
	"zigh3/engine/sink"
)

// A connection is one that the client has made.
type connection struct {
	fields peer.Fields
	used   bool
}

func newConnection(e *queue.Event) *connection { return &connection{fields: peer.Unpack(e.Meta)} }

// milliseconds is a time that the engine tells in microseconds.
func (c *connection) milliseconds(name string) float64 {
	us, _ := strconv.ParseInt(c.fields.Get(name), 10, 64) // the engine's own
	return float64(us) / 1e3
}

// A report is what --json writes.
type report struct {
	URL           string      `json:"url"` // the last one
	Method        string      `json:"method"`
	HTTP          string      `json:"http_version"`
	Status        int         `json:"status"` // 0: there was no response
	Fields        [][2]string `json:"headers"`
	Redirects     int         `json:"redirects"`
	Connection    *endpoints  `json:"connection"` // null: there was none
	StreamID      uint64      `json:"stream_id"`
	BytesReceived int64       `json:"bytes_received"` // of the body
	BytesSent     int64       `json:"bytes_sent"`     // of the body
	Times         times       `json:"times_ms"`
	ExitCode      int         `json:"exit_code"`
	Error         string      `json:"error"` // the name of the exit code
	Message       string      `json:"message"`
}

type endpoints struct {
	Remote string `json:"remote"`
	Local  string `json:"local"`
	ALPN   string `json:"alpn"`
	Name   string `json:"server_name"`
	Reused bool   `json:"reused"`
}

// times are in milliseconds. The first three are of the connection, and 0 where one was there already; first_byte is from the request to its
// response's head; total is of everything, redirects included.
type times struct {
	Lookup    float64 `json:"lookup"`
	Connect   float64 `json:"connect"`
	Handshake float64 `json:"handshake"`
	FirstByte float64 `json:"first_byte"`
	Total     float64 `json:"total"`
}

// report writes the line of JSON.
func (t *transfer) report() error {
	a := &t.answer
	r := &report{URL: t.target.String(), Method: t.method, HTTP: "3", Status: a.status, Fields: [][2]string{}, Redirects: t.redirects, StreamID: a.stream,
		BytesReceived: a.arrived, BytesSent: int64(len(t.body.data)), ExitCode: int(cli.ExitOf(t.failure)), Error: cli.ExitOf(t.failure).Name(),
		Times: times{FirstByte: milliseconds(a.first), Total: milliseconds(time.Since(t.began))}}
	for _, f := range a.fields {
		r.Fields = append(r.Fields, [2]string{f.Name, f.Value})
	}
	if t.body.streamed() {
		r.BytesSent = t.uploaded
	}
	if c := t.conns[a.conn]; c != nil {
		r.Connection = &endpoints{Remote: c.fields.Get("remote"), Local: c.fields.Get("local"), ALPN: c.fields.Get("alpn"), Name: c.fields.Get("sni"), Reused: a.reused}
		if !a.reused {
			r.Times.Lookup, r.Times.Handshake = c.milliseconds("lookup_us"), c.milliseconds("handshake_us")
			r.Times.Connect = c.milliseconds("attempt_us") + r.Times.Handshake
		}
	}
	if t.failure != nil {
		r.Message = t.failure.Error()
	}
	if err := json.NewEncoder(t.std.Out).Encode(r); err != nil {
		return cli.Fail(cli.Output, "%v", err)
	}
	return nil
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }

// tell writes a line for -v.
func (t *transfer) tell(format string, args ...any) {
	if t.o.verbose {
		t.progress.clear()
		fmt.Fprintf(t.std.Err, format+"\n", args...)
	}
}

func (t *transfer) tellFields(prefix string, fields peer.Fields) {
	for _, f := range fields {
		t.tell("%s %s: %s", prefix, f.Name, f.Value)
	}
}

func (t *transfer) tellConnection(h sink.Handle) {
	c := t.conns[h]
	t.tell("* connected to %s from %s, %s; looked up in %.1f ms, handshake of %.1f ms", c.fields.Get("remote"), c.fields.Get("local"), c.fields.Get("alpn"),
		c.milliseconds("lookup_us"), c.milliseconds("handshake_us"))
}

func (t *transfer) tellRequest(fields peer.Fields) {
	t.tell("> %s %s", t.method, t.target.Path())
	t.tell("> host: %s", t.target.Authority())
	t.tellFields(">", fields)
}

func (t *transfer) tellResponse(status int, fields peer.Fields) {
	t.tell("< HTTP/3 %d", status)
	t.tellFields("<", fields)
}

func (t *transfer) tellTrailers(fields peer.Fields) {
	t.tell("< trailers:")
	t.tellFields("<", fields)
}
