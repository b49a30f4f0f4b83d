package link

import "zigh3/engine/message"

// An Item is something that is open on a connection: a request, a session.
type Item interface {
	// Cut ends it because its connection has ended, or the server has.
	Cut(o message.Outcome)

	// Promote sets up what only one needs that lasts. It is called once, by the sweep.
	Promote()
}

// A Node is an item's place in the list of its connection. Its fields belong to the connection's lock.
type Node struct {
	item       Item
	next, prev *Node
	tick       uint32 // of the sweep, when it began
	shared     bool   // others than its owner know it
}

// Add puts an item into the connection's list, unless the connection has gone.
func (c *Conn) Add(n *Node, item Item) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		return false
	}
	n.item = item
	n.tick = c.Sweeper.tick.Load()
	if c.sweep.from == nil {
		c.sweep.from = n
	}
	n.prev, n.next = c.last, nil
	if c.last != nil {
		c.last.next = n
	} else {
		c.first = n
	}
	c.last = n
	c.open++
	c.moves++
	c.Sweeper.want(c)
	return true
}

// Remove takes an item that has ended out of the list, and reports whether nobody else knows it.
func (c *Conn) Remove(n *Node) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n.prev != nil {
		n.prev.next = n.next
	} else {
		c.first = n.next
	}
	if n.next != nil {
		n.next.prev = n.prev
	} else {
		c.last = n.prev
	}
	if c.sweep.from == n {
		c.sweep.from = n.next
	}
	n.prev, n.next = nil, nil
	c.open--
	c.moves++
	if !c.gone {
		c.Sweeper.want(c) // the last of what it has sent is still to be counted
	}
	c.emptied()
	return !n.shared
}

// Share says that others than its owner hold n from now on, so that its memory is not used again.
func (c *Conn) Share(n *Node) {
	c.mu.Lock()
	n.shared = true
	c.mu.Unlock()
}

// MarkShared is Share for a node that is in no list yet.
func (n *Node) MarkShared() { n.shared = true }

// Find calls f for what is open, in the order of its begin, until f returns true. The connection's lock is held: f must not wait, nor call
// the connection.
func (c *Conn) Find(f func(item Item) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for n := c.first; n != nil && !f(n.item); n = n.next {
	}
}
