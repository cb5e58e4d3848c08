package sim

import "flag"

// The drawn tests draw the same for everybody, so that a change is judged by
// what it changes; -rapid.seed=0 draws anew, as .ci/full random does.
func init() {
	if err := flag.Set("rapid.seed", "1"); err != nil {
		panic(err)
	}
}
