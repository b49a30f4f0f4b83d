package sink

import "testing"

// A client's counters have names of their own where they count something else than a server's; no two have one.
func TestNamesOfAClientsCounters(t *testing.T) {
	seen := map[string]bool{"": true}
	unnamed := 0
	for i, name := range ClientStatNames {
		switch {
		case name == "":
			unnamed++
		case seen[name]:
			t.Errorf("counter %d is another %s", i, name)
		}
		seen[name] = true
	}
	if unnamed != 3 {
		t.Errorf("%d have none", unnamed)
	}
	for i, want := range map[int]string{StatUptimeMs: "uptime_ms", StatRequestsTotal: "fetches_total", StatPacketsLost: "packets_lost", StatPacketsSpurious: "packets_spurious", StatConnectionsBBR: "connections_bbr", StatSendRate: "send_rate", StatRetriesSent: "", ClientStatConnectionsReplaced: "connections_lost"} {
		if ClientStatNames[i] != want {
			t.Errorf("%q, not %q", ClientStatNames[i], want)
		}
	}
}
