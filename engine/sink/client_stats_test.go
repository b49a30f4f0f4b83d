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
	if want := 3 + StatCount - StatCongestion; unnamed != want {
		t.Errorf("%d have none, not %d", unnamed, want)
	}
	for i, want := range map[int]string{StatUptimeMs: "uptime_ms", StatRequestsTotal: "fetches_total", StatPacketsLost: "packets_lost", StatRetriesSent: "", ClientStatConnectionsReplaced: "connections_lost"} {
		if ClientStatNames[i] != want {
			t.Errorf("%q, not %q", ClientStatNames[i], want)
		}
	}
}
