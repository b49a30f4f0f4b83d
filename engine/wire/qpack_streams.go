package wire

import (
	"bufio"

	"github.com/quic-go/quic-go/http3"
)

// Codes of RFC 9204, 6 that http3 does not name.
const (
	ErrCodeEncoderStream http3.ErrCode = 0x201
	ErrCodeDecoderStream http3.ErrCode = 0x202
)

// ReadEncoderStream reads the peer's QPACK encoder stream to its end and takes the peer at its word: with no table offered it has nothing
// to say but that the table's capacity is 0.
func ReadEncoderStream(in *bufio.Reader) error {
	for {
		b, err := in.ReadByte()
		if err != nil {
			return err
		}
		if b != 0x20 {
			return &ConnectionError{ErrCodeEncoderStream, "instruction for a dynamic table that was never allowed"}
		}
	}
}

// ReadDecoderStream reads the peer's QPACK decoder stream to its end. It accepts the cancellation of streams; everything else would
// acknowledge entries that we never made.
func ReadDecoderStream(in *bufio.Reader) error {
	for {
		b, err := in.ReadByte()
		if err != nil {
			return err
		}
		if b>>6 != 1 {
			return &ConnectionError{ErrCodeDecoderStream, "acknowledgement of entries that were never made"}
		}
		if b&0x3f != 0x3f {
			continue
		}
		for n := 0; ; n++ { // the rest of the stream's id
			if b, err = in.ReadByte(); err != nil {
				return err
			}
			if b&0x80 == 0 {
				break
			}
			if n == 8 {
				return &ConnectionError{ErrCodeDecoderStream, "the id of a cancelled stream is too long"}
			}
		}
	}
}
