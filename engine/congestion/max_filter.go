package congestion

// A maxFilter is the maximum over a window of a time that only grows, by Kathleen Nichols' algorithm: the three best samples, each
// younger than the one before.
type maxFilter struct {
	samples [3]filterSample
}

type filterSample struct {
	time  int64
	value int64
}

func (f *maxFilter) max() int64 { return f.samples[0].value }

func (f *maxFilter) update(value, time, window int64) int64 {
	s := &f.samples
	latest := filterSample{time, value}
	if value >= s[0].value || time-s[2].time > window {
		s[0], s[1], s[2] = latest, latest, latest
		return value
	}
	switch {
	case value >= s[1].value:
		s[1], s[2] = latest, latest
	case value >= s[2].value:
		s[2] = latest
	}
	switch age := time - s[0].time; {
	case age > window: // the best has passed: the second follows it
		s[0], s[1], s[2] = s[1], s[2], latest
		if time-s[0].time > window {
			s[0], s[1], s[2] = s[1], s[2], latest
		}
	case s[1].time == s[0].time && age > window/4: // a quarter without a better one: take a second from the rest
		s[1], s[2] = latest, latest
	case s[2].time == s[1].time && age > window/2:
		s[2] = latest
	}
	return s[0].value
}
