package sink

// Levels of a log message. The values are those of enum zig_h3_log_level.
const (
	LogDebug uint32 = iota
	LogInfo
	LogWarn
	LogError
)

// EmitLog emits a message about object through sink. Messages are lossy: a consumer that does not drain loses them first.
func EmitLog(sink Sink, level uint32, server, object Handle, text string) {
	const longest = 1024
	if len(text) > longest {
		text = text[:longest]
	}
	rec, ok := sink.Reserve(Lossy, len(text), nil)
	if !ok {
		return
	}
	copy(rec.Payload, text)
	sink.Commit(rec, &Event{Type: EventLog, Object: object, Parent: server, Status: level, DataLen: uint32(len(text))})
}
