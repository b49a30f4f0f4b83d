package main

import "testing"

// attentionReset is ATTENTION_RESET.
const attentionReset = 1 << 3

// What the host has just opened or asked for, and given up at once, may have its handle before the reactor knows it: that it is to end is kept until then.
func TestAttentionForWhatIsStillOnItsWayIsKept(t *testing.T) {
	holdReactor(t)
	for _, kind := range []uint64{kindStream, kindFetch, kindConnect} {
		h, ok := issue(kind, 0)
		if !ok {
			t.Fatal("no slot left")
		}
		callAttention(h, attentionReset)
		for range 2 {
			attend()
			if bits := slots[indexOf(h)].attention.Load() &^ (generationMask << generationShift); bits != attentionReset || table.attention.Load() != indexOf(h)+1 {
				t.Errorf("kind %d: %#x is left, slot %d is on the stack", kind, bits, table.attention.Load())
			}
		}
		release(h)
		attend()
		if table.attention.Load() != 0 {
			t.Errorf("kind %d: something is left on the stack", kind)
		}
	}
}
