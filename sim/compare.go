package sim

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrPolicy is the error of a configuration that its scenario cannot have.
var ErrPolicy = errors.New("only the scenario lookups is made by other rules than Waymark's")

// Configuration is one of those that are compared: Base, changed by what it is
// called, which is a policy's name and settings, as in "waymark,alpha=3,paths=2"
// or "go-like". A setting alone ("alpha=3") is Waymark's.
func Configuration(base Options, text string) (Options, error) {
	o := base
	for i, word := range strings.Split(text, ",") {
		name, value, pair := strings.Cut(word, "=")
		switch {
		case pair:
			if err := o.Set(name, value); err != nil {
				return o, fmt.Errorf("%s: %w", word, err)
			}
		case i == 0 && slices.Contains(Policies[:], word):
			if err := o.Set("policy", word); err != nil {
				return o, err
			}
		default:
			return o, fmt.Errorf("%q is not one of %s, nor KEY=VALUE", word, strings.Join(Policies[:], ", "))
		}
	}
	if o.Policy != Waymark && o.Scenario != "lookups" {
		return o, ErrPolicy
	}
	return o, nil
}

// Figure is one row of a comparison.
type Figure struct {
	Name, Unit string
	More       bool // more is better
	Of         func(Result) float64
}

// Figures are what configurations are compared by.
var Figures = []Figure{
	{"first answer, p50", "ms", false, func(r Result) float64 { return r.First50 }},
	{"first answer, p95", "ms", false, func(r Result) float64 { return r.First95 }},
	{"15 of 20, p50", "ms", false, func(r Result) float64 { return r.Most50 }},
	{"15 of 20, p95", "ms", false, func(r Result) float64 { return r.Most95 }},
	{"end, p50", "ms", false, func(r Result) float64 { return r.P50 }},
	{"end, p95", "ms", false, func(r Result) float64 { return r.P95 }},
	{"recall", "", true, func(r Result) float64 { return r.Recall }},
	{"requests", "each", false, func(r Result) float64 { return r.Requests }},
	{"hops", "", false, func(r Result) float64 { return r.Depth }},
}

// Mean returns the mean of a figure over runs.
func (f Figure) Mean(runs []Result) float64 {
	all := make([]float64, len(runs))
	for i, r := range runs {
		all[i] = f.Of(r)
	}
	return mean(all)
}
