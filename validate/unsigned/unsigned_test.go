package unsigned

import "testing"

func TestTheHighestSequenceNumberIsTheBest(t *testing.T) {
	for _, c := range []struct {
		values []string
		best   int
	}{
		{[]string{"1:a", "2:b"}, 1},
		{[]string{"10:a", "9:b"}, 0},
		{[]string{"new", "old"}, 0},
		{[]string{"new", "3:old"}, 1},
		{[]string{"-4:a", "b"}, 0},
		{[]string{"5:a", "5:b", "5:c"}, 0},
		{[]string{"99999999999999999999:a", "1:b"}, 1},
	} {
		var values [][]byte
		for _, v := range c.values {
			values = append(values, []byte(v))
		}
		if best, err := (Validator{}).Select("/v/a", values); best != c.best || err != nil {
			t.Errorf("%q: %d, %v", c.values, best, err)
		}
	}
}
