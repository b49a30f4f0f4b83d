package message

import (
	"github.com/quic-go/quic-go/http3"

	"zigh3/engine/wire"
)

// mostInformational is how many informational heads a response may have in front of its own.
const mostInformational = 32

var errInformational = &wire.StreamError{Code: http3.ErrCodeExcessiveLoad, Reason: "too many informational responses"}

// ReadResponse reads the heads of a response and gives each to take, its fields as a packed list that is valid during the call, until one is not
// informational or take fails. Behind that one comes the body. Memory for the fields is taken once they are there, not while they are waited for.
func (b *FrameReader) ReadResponse(take func(head *wire.ResponseHead, fields []byte) error) error {
	for n := 0; ; n++ {
		block, tooLong, err := b.ReadHead(b.lim.Total)
		switch {
		case err != nil:
			return err
		case tooLong:
			return wire.ErrLargeList
		}
		if final, err := b.decodeHead(block, n == mostInformational, take); final || err != nil {
			return err
		}
	}
}

// decodeHead gives one head to take. last says that it must not be informational.
func (b *FrameReader) decodeHead(block []byte, last bool, take func(head *wire.ResponseHead, fields []byte) error) (final bool, err error) {
	piece := GetPiece()
	defer PutPiece(piece)
	fields := piece[:]
	head, err := wire.DecodeResponse(fields, block, b.lim)
	if err == wire.ErrShort {
		fields = make([]byte, b.lim.PackedMax())
		head, err = wire.DecodeResponse(fields, block, b.lim)
	}
	switch {
	case err != nil:
		return false, err
	case head.Informational() && last:
		return false, errInformational
	}
	return !head.Informational(), take(&head, fields[:head.MetaLen])
}
