package sink

import "encoding/binary"

// SessionStats are the counters of a session.
type SessionStats [SessionStatCount]uint64

// SessionStatsSize is how many bytes they take in an event.
const SessionStatsSize = 8 * SessionStatCount

// Put writes them into an event.
func (v *SessionStats) Put(p []byte) {
	for i, n := range v {
		binary.NativeEndian.PutUint64(p[8*i:], n)
	}
}

// Indices of SessionStats. SessionStatNames names them. Packets, bytes and times are those of the session's connection.
const (
	SessionStatDatagramsIn         = iota // delivered
	SessionStatDatagramsOut               // handed to QUIC
	SessionStatDatagramsDroppedIn         // came, and were not delivered
	SessionStatDatagramsDroppedOut        // were taken for sending, and were not sent
	SessionStatDatagramsExpiredOut        // of these: older than their age
	SessionStatStreamsIn                  // opened by the peer
	SessionStatStreamsOut                 // opened here
	SessionStatStreamsActive
	SessionStatStreamBytesIn
	SessionStatStreamBytesOut
	SessionStatBytesIn
	SessionStatBytesOut
	SessionStatBytesLost
	SessionStatPacketsIn
	SessionStatPacketsOut
	SessionStatPacketsLost
	SessionStatSmoothedRTT // microseconds, like the next two
	SessionStatRTTVariation
	SessionStatMinRTT
	SessionStatCongestionWindow // bytes that may be under way

	// From here on they are known only where congestion.Installed().
	SessionStatPacketsSpurious // of those taken for lost: they had come
	SessionStatSendRate        // bytes a second that the path is thought to carry; 0: not known
	SessionStatAtCapacity      // 1: the path limits what is sent, not what there is to send
	SessionStatAlgorithm       // a congestion.Algorithm
	SessionStatState           // a congestion.State
	SessionStatBytesAcked      // of packets that ask for it: those that ask for none are never acknowledged

	SessionStatCount // how many there are
)

// SessionStatCongestion is the first of the counters that only this project's congestion control knows. Others go before it.
const SessionStatCongestion = SessionStatPacketsSpurious

// SessionStatNames are the public names of the counters, by index.
var SessionStatNames = [SessionStatCount]string{
	SessionStatDatagramsIn:         "datagrams_in",
	SessionStatDatagramsOut:        "datagrams_out",
	SessionStatDatagramsDroppedIn:  "datagrams_dropped_in",
	SessionStatDatagramsDroppedOut: "datagrams_dropped_out",
	SessionStatDatagramsExpiredOut: "datagrams_expired_out",
	SessionStatStreamsIn:           "streams_in",
	SessionStatStreamsOut:          "streams_out",
	SessionStatStreamsActive:       "streams_active",
	SessionStatStreamBytesIn:       "stream_bytes_in",
	SessionStatStreamBytesOut:      "stream_bytes_out",
	SessionStatBytesIn:             "bytes_in",
	SessionStatBytesOut:            "bytes_out",
	SessionStatBytesLost:           "bytes_lost",
	SessionStatPacketsIn:           "packets_in",
	SessionStatPacketsOut:          "packets_out",
	SessionStatPacketsLost:         "packets_lost",
	SessionStatSmoothedRTT:         "smoothed_rtt_us",
	SessionStatRTTVariation:        "rtt_variation_us",
	SessionStatMinRTT:              "min_rtt_us",
	SessionStatCongestionWindow:    "congestion_window",
	SessionStatPacketsSpurious:     "packets_spurious",
	SessionStatSendRate:            "send_rate",
	SessionStatAtCapacity:          "at_send_capacity",
	SessionStatAlgorithm:           "congestion_control",
	SessionStatState:               "congestion_state",
	SessionStatBytesAcked:          "bytes_acknowledged",
}
