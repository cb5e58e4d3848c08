package fault

import (
	"strings"
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

func TestListsOfKinds(t *testing.T) {
	for list, want := range map[string]int{"honest": 1, "silent,slow": 2, "issue": 12, "all": len(Kinds()), "honest,issue": 13} {
		if got, err := ParseKinds(list); err != nil || len(got) != want {
			t.Errorf("%q means %v, %v", list, got, err)
		}
	}
	if _, err := ParseKinds("silent,rude"); err == nil || !strings.Contains(err.Error(), Words(Kinds())) {
		t.Errorf("an unknown word in a list: %v", err)
	}
}
