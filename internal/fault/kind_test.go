package fault

import (
	"testing"

	"github.com/waymark-dht/waymark/core/contact"
)

func TestEveryKindHasAWordOfItsOwn(t *testing.T) {
	for k := range kinds {
		if k.String() == "" {
			t.Fatalf("kind %d has no word", k)
		}
		if got, err := ParseKind(k.String()); err != nil || got != k {
			t.Errorf("%q means %v, %v", k, got, err)
		}
	}
	if _, err := ParseKind("rude"); err == nil {
		t.Error("an unknown word was understood")
	}
	if kinds.String() != "unknown" {
		t.Error("a kind that does not exist has a word")
	}
}

// A word that both rooms use must mean the same in both.
func TestKindsShareTheirWordsWithFailures(t *testing.T) {
	words := map[string]bool{}
	for f := contact.None; f.String() != "unknown"; f++ {
		words[f.String()] = true
	}
	for k := range kinds {
		switch word := k.String(); k {
		case ZeroWindow, Liar: // what a small request meets of them has another name
		default:
			if words[word] && k.Failure().String() != word {
				t.Errorf("%v should be reported as %v", k, k.Failure())
			}
		}
	}
}
