package datagram

// keptPlaces is how many places an empty ring keeps.
const keptPlaces = 32

// A ring is a queue whose places are used again.
type ring[T any] struct {
	places []T // their number is a power of two
	first  int
	n      int
}

func (r *ring[T]) len() int { return r.n }

func (r *ring[T]) push(v T) {
	r.grow()
	r.places[(r.first+r.n)&(len(r.places)-1)] = v
	r.n++
}

// pushFront makes v the first again.
func (r *ring[T]) pushFront(v T) {
	r.grow()
	r.first = (r.first - 1) & (len(r.places) - 1)
	r.places[r.first] = v
	r.n++
}

func (r *ring[T]) grow() {
	if r.n < len(r.places) {
		return
	}
	places := make([]T, max(4, 2*len(r.places)))
	n := copy(places, r.places[r.first:])
	copy(places[n:], r.places[:r.first])
	r.places, r.first = places, 0
}

// pop takes the first one out. There must be one.
func (r *ring[T]) pop() T {
	var none T
	v := r.places[r.first]
	r.places[r.first] = none
	r.first = (r.first + 1) & (len(r.places) - 1)
	if r.n--; r.n == 0 && len(r.places) > keptPlaces {
		*r = ring[T]{}
	}
	return v
}
