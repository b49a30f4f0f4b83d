package engine

import "time"

// SendDatagram queues a datagram of the request; data is valid during the call. What has waited for longer than maxAge is dropped; 0
// is no limit.
func (r *Request) SendDatagram(data []byte, maxAge time.Duration) {}

// SendDatagram queues a raw QUIC datagram; data is valid during the call. What has waited for longer than maxAge is dropped; 0 is no
// limit.
func (c *conn) SendDatagram(data []byte, maxAge time.Duration) {}
