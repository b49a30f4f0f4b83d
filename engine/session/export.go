package session

import "encoding/binary"

// exporterLabel is the one that TLS gets for keying material of every session (draft-ietf-webtrans-http3, 4.8).
const exporterLabel = "EXPORTER-WebTransport"

// ExportKeyingMaterial derives n bytes that only this session's two ends can have. label and context have at most 255 bytes each. It may
// be called at any time.
func (s *Session) ExportKeyingMaterial(label, context []byte, n int) ([]byte, error) {
	if s.waits() {
		return nil, errNoConnection
	}
	ofSession := binary.BigEndian.AppendUint64(nil, s.id)
	ofSession = append(append(ofSession, byte(len(label))), label...)
	ofSession = append(append(ofSession, byte(len(context))), context...)
	state := s.c.QUIC.ConnectionState().TLS
	return state.ExportKeyingMaterial(exporterLabel, ofSession, n)
}
