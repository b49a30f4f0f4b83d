// Wtgo is webtransport-go's own client, driven by a test over JSON lines: one command a line on stdin, one answer a line on stdout.
//
// A command is {"id", "do", ...}; its answer {"id", "ok": true, "value"} or {"id", "ok": false, "error"}. Commands run side by side,
// an answer comes when its command is done. End of input ends the program. tests/bun/wtgo.ts is the other side.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"
)

// A command as it comes. Which fields count depends on what is to be done.
type command struct {
	ID      int    `json:"id"`
	Do      string `json:"do"`
	Conn    int    `json:"conn"`
	Session int    `json:"session"`
	Stream  int    `json:"stream"`

	Port      int               `json:"port"`
	Path      string            `json:"path"`
	Origin    string            `json:"origin"`
	Headers   map[string]string `json:"headers"`
	Protocols []string          `json:"protocols"`
	MaxBidi   int64             `json:"maxBidi"` // streams that the server may open in a session; 0: not said
	MaxUni    int64             `json:"maxUni"`
	Window    uint64            `json:"window"`    // receive window of a stream, at first and at most
	KeepAlive int               `json:"keepAlive"` // ms between signs of life of a connection at rest; 0: none
	TimeoutMS int               `json:"timeout"`

	Data   []byte `json:"data"`
	Size   int    `json:"size"`
	Count  int    `json:"count"`
	Inside int    `json:"inside"` // in flight
	PaceUS int    `json:"pace"`   // between two
	Uni    bool   `json:"uni"`
	End    bool   `json:"end"`
	Code   uint32 `json:"code"`
	Reason string `json:"reason"`
}

func (c *command) timeout() time.Duration {
	if c.TimeoutMS > 0 {
		return time.Duration(c.TimeoutMS) * time.Millisecond
	}
	return 30 * time.Second
}

func (c *command) context() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), c.timeout())
}

// A driver holds what the commands have made, by number.
type driver struct {
	mu       sync.Mutex
	conns    map[int]*connection
	sessions map[int]*session
	streams  map[int]*stream
	last     int
}

var doing = map[string]func(*driver, *command) (any, error){
	"connect": (*driver).connect, "get": (*driver).get, "disconnect": (*driver).disconnect, "vanish": (*driver).vanish,
	"session": (*driver).dial, "export": (*driver).export, "close": (*driver).close, "closed": (*driver).closed,
	"datagram": (*driver).datagram, "receive": (*driver).receive,
	"open": (*driver).open, "accept": (*driver).accept, "write": (*driver).write, "end": (*driver).end, "read": (*driver).read,
	"reset": (*driver).reset, "stop": (*driver).stop, "written": (*driver).written,
	"burst": (*driver).burst, "pingpong": (*driver).pingpong, "echoes": (*driver).echoes, "churn": (*driver).churn, "hold": (*driver).hold,
}

func main() {
	d := &driver{conns: map[int]*connection{}, sessions: map[int]*session{}, streams: map[int]*stream{}}
	var out sync.Mutex
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		go func() {
			answer := d.answer(line)
			out.Lock()
			defer out.Unlock()
			os.Stdout.Write(append(answer, '\n'))
		}()
	}
}

func (d *driver) answer(line []byte) []byte {
	var c command
	out := map[string]any{"ok": false}
	if err := json.Unmarshal(line, &c); err != nil {
		out["error"] = err.Error()
	} else if do := doing[c.Do]; do == nil {
		out["error"] = fmt.Sprintf("no command %q", c.Do)
	} else if value, err := do(d, &c); err != nil {
		out["error"] = err.Error()
	} else {
		out["ok"], out["value"] = true, value
	}
	out["id"] = c.ID
	answer, err := json.Marshal(out)
	if err != nil {
		panic(err) // a value of ours that JSON cannot carry
	}
	return answer
}

// add gives a new object its number.
func add[T any](d *driver, objects map[int]T, object T) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last++
	objects[d.last] = object
	return d.last
}

func find[T any](d *driver, objects map[int]T, number int) (T, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	object, ok := objects[number]
	if !ok {
		return object, fmt.Errorf("nothing has number %d", number)
	}
	return object, nil
}
