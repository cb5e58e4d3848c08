package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Style colours words, or leaves them alone. The zero Style leaves them alone.
type Style struct{ on bool }

func (s Style) paint(code, text string) string {
	if !s.on || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// Bold, Dim, Green, Red and Yellow return the text in that style. Colour never
// carries meaning alone: a word or a mark says the same.
func (s Style) Bold(text string) string   { return s.paint("1", text) }
func (s Style) Dim(text string) string    { return s.paint("2", text) }
func (s Style) Green(text string) string  { return s.paint("32", text) }
func (s Style) Red(text string) string    { return s.paint("31", text) }
func (s Style) Yellow(text string) string { return s.paint("33", text) }

// Duration prints a duration with three digits that matter, for people.
func Duration(d time.Duration) string {
	switch {
	case d < 0:
		return "-" + Duration(-d)
	case d.Round(time.Microsecond) < time.Millisecond:
		return fmt.Sprintf("%dµs", d.Round(time.Microsecond).Microseconds())
	case d.Round(time.Millisecond/10) < 10*time.Millisecond:
		return fmt.Sprintf("%.1fms", Millis(d))
	case d.Round(time.Millisecond) < time.Second:
		return fmt.Sprintf("%.0fms", Millis(d))
	case d.Round(time.Second/100) < 10*time.Second:
		return fmt.Sprintf("%.2fs", d.Seconds())
	case d.Round(time.Second/10) < 100*time.Second:
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	if d = d.Round(time.Second); d >= time.Hour {
		d = d.Round(time.Minute)
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
}

// Millis returns a duration in milliseconds, as the fields named …_ms carry it.
func Millis(d time.Duration) float64 {
	return float64(d.Round(time.Microsecond)) / float64(time.Millisecond)
}

// Tenths prints a running clock: seconds with one digit, which does not jitter.
func Tenths(d time.Duration) string { return fmt.Sprintf("%.1fs", max(0, d).Seconds()) }

// ShortID shortens a peer ID as a person reads it: head and last five letters.
func ShortID(id string) string {
	if len(id) <= 16 {
		return Clean(id)
	}
	return Clean(id[:8] + "…" + id[len(id)-5:])
}

// Count prints a number with its noun: "1 seed", "2 seeds", "2 addresses".
func Count(n int, noun string) string {
	switch {
	case n == 1:
		return "1 " + noun
	case strings.HasSuffix(noun, "s") || strings.HasSuffix(noun, "ch"):
		noun += "es"
	default:
		noun += "s"
	}
	return Number(n) + " " + noun
}

// Number prints a whole number with its thousands apart: 1,234,567. Numbers of
// four digits are read as they are.
func Number(n int) string {
	digits := strconv.Itoa(n)
	if -10_000 < n && n < 10_000 {
		return digits
	}
	for at := len(digits) - 3; at > 0 && digits[at-1] != '-'; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}

// Clean makes a text that others may have written safe for a terminal: what
// would move the cursor or start an escape sequence becomes a mark.
func Clean(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return '·'
		}
		return r
	}, text)
}

// Bar draws how much of something is done, in the given number of cells.
func Bar(share float64, cells int) string {
	full := int(max(0, min(1, share))*float64(cells) + 0.5)
	return strings.Repeat("▓", full) + strings.Repeat("░", cells-full)
}

// Pad fills a text with spaces up to a width, as it looks.
func Pad(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-Width(text)))
}

// Columns puts the cells of a table below each other, two spaces apart: each
// column is as wide as its widest cell. All rows have as many cells as the first.
func Columns(rows [][]string) (lines []string) {
	widest := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widest[i] = max(widest[i], Width(cell))
		}
	}
	for _, row := range rows {
		line := ""
		for i, cell := range row {
			line += Pad(cell, widest[i]+len("  "))
		}
		lines = append(lines, strings.TrimRight(line, " "))
	}
	return lines
}

// Spread puts left and right at the two ends of a line.
func Spread(left, right string, width int) string {
	return left + strings.Repeat(" ", max(1, width-Width(left)-Width(right))) + right
}

// Width returns how many cells a text takes, escape sequences aside. The house
// prints no character that takes two.
func Width(text string) (n int) {
	scan(text, func(_ rune, cell bool) bool {
		if cell {
			n++
		}
		return true
	})
	return n
}

// Clip cuts a text to a width, as it looks, and ends the styles in it.
func Clip(text string, width int) string {
	if Width(text) <= width {
		return text
	}
	var b strings.Builder
	cells, styled := 0, false
	if width <= 0 {
		return ""
	}
	scan(text, func(r rune, cell bool) bool {
		if cell && cells == width-1 {
			return false
		}
		if cell {
			cells++
		}
		styled = styled || !cell
		b.WriteRune(r)
		return true
	})
	b.WriteRune('…')
	if styled {
		b.WriteString("\x1b[0m")
	}
	return b.String()
}

// scan calls visit for each rune and says whether it takes a cell, or belongs
// to an escape sequence.
func scan(text string, visit func(r rune, cell bool) bool) {
	escape := false
	for _, r := range text {
		if r == '\x1b' {
			escape = true
		}
		if !visit(r, !escape) {
			return
		}
		if escape && r == 'm' {
			escape = false
		}
	}
}

// Wrap joins words into lines of at most width cells; a longer word has a line
// of its own.
func Wrap(words []string, between string, width int) (lines []string) {
	for i, word := range words {
		if i < len(words)-1 {
			word += strings.TrimRight(between, " ")
		}
		last := len(lines) - 1
		if last >= 0 && Width(lines[last])+1+Width(word) <= width {
			lines[last] += " " + word
		} else {
			lines = append(lines, word)
		}
	}
	return lines
}
