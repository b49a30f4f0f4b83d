package cli

import (
	"fmt"
	"strconv"
	"time"
)

// Switch has an option without a value set v.
func Switch(v *bool) func(string) error {
	return func(string) error { *v = true; return nil }
}

// Text has an option set v to its value.
func Text(v *string) func(string) error {
	return func(value string) error { *v = value; return nil }
}

// Texts has an option that may be given more than once append its value to v.
func Texts(v *[]string) func(string) error {
	return func(value string) error { *v = append(*v, value); return nil }
}

// Number has an option set v to a whole number of these bounds.
func Number[T int | int64 | uint16](v *T, least, most T) func(string) error {
	return func(value string) error {
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n < int64(least) || n > int64(most) {
			return fmt.Errorf("it takes a whole number from %d to %d", least, most)
		}
		*v = T(n)
		return nil
	}
}

// Day is the longest time that most options take, in seconds.
const Day = 86_400

// Seconds has an option set v to a time in seconds, which may have a fraction, of these bounds.
func Seconds(v *time.Duration, least, most float64) func(string) error {
	return func(value string) error {
		n, err := strconv.ParseFloat(value, 64)
		if err != nil || !(n >= least && n <= most) {
			return fmt.Errorf("it takes seconds, from %v to %v", least, most)
		}
		*v = time.Duration(n * float64(time.Second))
		return nil
	}
}
