package cli

import "strings"

// Nearest returns the candidate that a mistyped word most likely means, or ""
// if none is near: two edits at most, and fewer than half of the word.
func Nearest(word string, candidates []string) string {
	best, least := "", 3
	for _, c := range candidates {
		d := edits(strings.ToLower(word), strings.ToLower(c))
		if strings.HasPrefix(c, word) && len(word) >= 2 {
			d = min(d, 1) // an abbreviation is near, however much is left out
		}
		if d < least && 2*d < max(len(word), 3) {
			best, least = c, d
		}
	}
	return best
}

// edits is the number of letters to insert, delete, change or swap with their
// neighbour to turn a into b (optimal string alignment).
func edits(a, b string) int {
	older, old := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range old {
		old[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			change := old[j]
			if a[i] != b[j] {
				change++
			}
			row[j+1] = min(old[j+1]+1, row[j]+1, change)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], older[j-1]+1)
			}
		}
		older, old = old, row
	}
	return old[len(b)]
}
