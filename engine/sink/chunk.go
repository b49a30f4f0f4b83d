package sink

// A ChunkOwner gets the bytes of a chunk back.
type ChunkOwner interface {
	// Release says that the engine reads the bytes no more. It is called exactly once for each chunk, from any goroutine.
	Release(b []byte)
}

// A Chunk is a piece of a response's body. With an owner the engine keeps Bytes until it calls Release; without one they are valid
// during the call only.
type Chunk struct {
	Bytes []byte
	Owner ChunkOwner
}

// Release gives the bytes back to their owner, if there is one. c is empty afterwards.
func (c *Chunk) Release() {
	if c.Owner != nil {
		c.Owner.Release(c.Bytes)
	}
	c.Bytes, c.Owner = nil, nil
}

// Keep makes the bytes outlive the call that they came with.
func (c *Chunk) Keep() {
	if c.Owner == nil && len(c.Bytes) > 0 {
		c.Bytes = append([]byte(nil), c.Bytes...)
	}
}
