// Path is a network path between the benchmark's clients and a server: a UDP proxy that delays, loses, reorders, and lets through no more
// than a rate, with a buffer before it. Both directions are alike and know nothing of each other.
//
//	path -to 127.0.0.1:4433 -delay 20ms -loss 0.02
//	path -to 127.0.0.1:4433 -delay 40ms -rate 2000000 -buffer 80000
//
// It prints "ready <port>", with a port for each server, and at SIGTERM one line of JSON: what each direction carried and dropped, and how full its buffer was.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"
)

var (
	to      = flag.String("to", "", "address of the server, or several with commas, which share the path")
	delay   = flag.Duration("delay", 0, "round trip that is added, half of it each way")
	loss    = flag.Float64("loss", 0, "the share of datagrams that is lost, each way")
	rate    = flag.Float64("rate", 0, "bytes a second, each way; 0: as many as come")
	buffer  = flag.Int64("buffer", 1<<20, "bytes that may wait where there is a rate")
	reorder = flag.Float64("reorder", 0, "the share of datagrams that come later than those behind them")
	late    = flag.Duration("late", 5*time.Millisecond, "by so much")
	seed    = flag.Uint64("seed", 1, "of chance: the same seed loses the same datagrams of an equal sequence")
)

// largest is more than any datagram of QUIC.
const largest = 2048

// A datagram that is on its way.
type datagram struct {
	due   time.Time
	data  []byte
	write func([]byte)
}

// A direction of the path. Its datagrams leave in the order of coming, but for those that are reordered.
type direction struct {
	mu       sync.Mutex
	rng      *rand.Rand
	free     time.Time // when the bottleneck is done with what it has
	Carried  int64     `json:"carried"`
	Bytes    int64     `json:"bytes"`
	Lost     int64     `json:"lost"`
	Overflow int64     `json:"overflow"`
	Waiting  float64   `json:"mean_wait_ms"` // of the datagrams carried, for the bottleneck
	Used     float64   `json:"used"`         // the part of the rate that was used, from the first datagram to the last
	wait     time.Duration
	first    time.Time
	last     time.Time
}

func newDirection(n uint64) *direction { return &direction{rng: rand.New(rand.NewPCG(*seed, n))} }

// admit decides about a datagram that has come: when it is there, and whether others may overtake it.
func (d *direction) admit(now time.Time, size int) (due time.Time, overtaken, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if *loss > 0 && d.rng.Float64() < *loss {
		d.Lost++
		return due, false, false
	}
	at := now
	if *rate > 0 {
		if d.free.Before(now) {
			d.free = now
		}
		waiting := d.free.Sub(now)
		if waiting.Seconds()**rate+float64(size) > float64(*buffer) {
			d.Overflow++
			return due, false, false
		}
		d.wait += waiting
		d.free = d.free.Add(time.Duration(float64(size) / *rate * 1e9))
		at = d.free
	}
	if d.Carried == 0 {
		d.first = now
	}
	d.last = now
	d.Carried++
	d.Bytes += int64(size)
	due = at.Add(*delay / 2)
	if *reorder > 0 && d.rng.Float64() < *reorder {
		return due.Add(*late), true, true
	}
	return due, false, true
}

// carry moves what is read to where read says, until reading fails.
func (d *direction) carry(read func([]byte) (int, func([]byte), error)) {
	queue := make(chan datagram, 1<<15)
	defer close(queue)
	go func() {
		for g := range queue {
			if wait := time.Until(g.due); wait > 0 {
				time.Sleep(wait)
			}
			g.write(g.data)
		}
	}()
	buf := make([]byte, largest)
	for {
		n, write, err := read(buf)
		if err != nil {
			return
		}
		due, overtaken, ok := d.admit(time.Now(), n)
		if !ok {
			continue
		}
		g := datagram{due, append([]byte(nil), buf[:n]...), write}
		if overtaken {
			time.AfterFunc(time.Until(due), func() { write(g.data) })
			continue
		}
		queue <- g
	}
}

// enlarge gives a socket as much room as the kernel allows: what it drops is not what the path is told to drop.
func enlarge(c *net.UDPConn) {
	c.SetReadBuffer(8 << 20)
	c.SetWriteBuffer(8 << 20)
}

func main() {
	flag.Parse()
	forth, back := newDirection(1), newDirection(2)
	line := "ready"
	for address := range strings.SplitSeq(*to, ",") {
		server, err := netip.ParseAddrPort(address)
		if err != nil {
			log.Fatal(err)
		}
		front, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			log.Fatal(err)
		}
		enlarge(front)
		go serve(front, server, forth, back)
		line += fmt.Sprintf(" %d", front.LocalAddr().(*net.UDPAddr).Port)
	}
	fmt.Println(line)
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM, syscall.SIGINT)
	<-end
	out := map[string]*direction{"to_server": forth, "to_client": back}
	for _, d := range out {
		d.mu.Lock()
		if d.Carried > 0 {
			d.Waiting = d.wait.Seconds() * 1e3 / float64(d.Carried)
			if span := d.last.Sub(d.first).Seconds(); *rate > 0 && span > 0 {
				d.Used = float64(d.Bytes) / *rate / span
			}
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(out); err != nil {
		log.Fatal(err)
	}
}

// serve takes what clients send; each has a socket of its own towards the server. All share the path.
func serve(front *net.UDPConn, server netip.AddrPort, forth, back *direction) {
	clients := make(map[netip.AddrPort]func([]byte))
	forth.carry(func(buf []byte) (int, func([]byte), error) {
		n, client, err := front.ReadFromUDPAddrPort(buf)
		if err != nil {
			return 0, nil, err
		}
		write, ok := clients[client]
		if !ok {
			c, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(server))
			if err != nil {
				return 0, nil, err
			}
			enlarge(c)
			write = func(data []byte) { c.Write(data) } // a server that is gone is found out by its peer
			clients[client] = write
			answer := func(data []byte) { front.WriteToUDPAddrPort(data, client) }
			go back.carry(func(buf []byte) (int, func([]byte), error) {
				for {
					n, err := c.Read(buf)
					if errors.Is(err, syscall.ECONNREFUSED) {
						continue
					}
					return n, answer, err
				}
			})
		}
		return n, write, nil
	})
}
