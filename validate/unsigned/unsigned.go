// Package unsigned is a validator for namespaces whose values nobody signs: for private networks, whose members trust each other, and for trying things out.
//
// It may not know the network or the store. Start reading at [Validator].
package unsigned

import (
	"bytes"
	"strconv"
)

// Validator accepts every value. Of values of the form SEQUENCE:REST, with a
// decimal number before the colon, the one with the highest number is the best;
// where they have none, or the same, the first that is named is: in a store
// that is the one that came last.
//
// Anybody can write under any key. Do not use it in a public network.
type Validator struct{}

// Validate implements waymark.Validator.
func (Validator) Validate(string, []byte) error { return nil }

// Select implements waymark.Validator.
func (Validator) Select(_ string, values [][]byte) (int, error) {
	best := 0
	for i := range values {
		if sequence(values[i]) > sequence(values[best]) {
			best = i
		}
	}
	return best, nil
}

// sequence is the number before a value's colon, or -1.
func sequence(value []byte) int64 {
	digits, _, found := bytes.Cut(value, []byte(":"))
	n, err := strconv.ParseInt(string(digits), 10, 64)
	if !found || err != nil || n < 0 {
		return -1
	}
	return n
}
