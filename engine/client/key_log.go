package client

import (
	"os"
	"sync"

	"zigh3/engine/sink"
)

// A keyLog appends the secrets of all connections to a file, for who wants to decrypt what was recorded of them.
type keyLog struct {
	client *Client

	mu     sync.Mutex
	f      *os.File
	failed bool // and told
}

// openKeyLog opens the file, which nobody else may read if it is made here.
func openKeyLog(c *Client) (*keyLog, error) {
	f, err := os.OpenFile(c.options.KeyLogPath, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, &sink.Error{Code: sink.ErrConfig, Text: "key_log_path: " + err.Error(), Err: err}
	}
	return &keyLog{client: c, f: f}, nil
}

// Write implements io.Writer: a line for each secret. What cannot be written does not fail the handshake.
func (k *keyLog) Write(line []byte) (int, error) {
	k.mu.Lock()
	_, err := k.f.Write(line)
	told := k.failed
	k.failed = k.failed || err != nil
	k.mu.Unlock()
	if err != nil && !told {
		k.client.warn("key_log_path: " + err.Error())
	}
	return len(line), nil
}

// close closes the file.
func (k *keyLog) close() {
	if err := k.f.Close(); err != nil {
		k.client.warn("key_log_path: " + err.Error())
	}
}
