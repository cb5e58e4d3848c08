package main

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// The measures of a picture.
const (
	plotWidth, plotHeight         = 720, 240
	plotLeft, plotTop             = 52, 10
	plotRight, plotBottom         = plotWidth - 14, plotHeight - 24
	plotSpanX, plotSpanY          = plotRight - plotLeft, plotBottom - plotTop
	plotSteps                     = 120 // points of a curve
	plotSlots                     = 60  // stretches of virtual time
	plotTicks                     = 4   // about so many figures on an axis, beside 0
	percentTail           float64 = .995
)

func upwards(share float64) float64    { return plotBottom - share*plotSpanY }
func rightwards(share float64) float64 { return plotLeft + share*plotSpanX }

// axis is what stands on one side of a picture: from low to high, in a unit.
type axis struct {
	low, high, step float64
	unit            string
}

// share is where on the axis a value is.
func (a axis) share(value float64) float64 { return (value - a.low) / (a.high - a.low) }

// ticks calls at with each round figure and where it is.
func (a axis) ticks(at func(share float64, words string)) {
	for i := max(0, math.Ceil(a.low/a.step-1e-9)); i*a.step <= a.high*(1+1e-9); i++ {
		at(a.share(i*a.step), fmt.Sprintf("%.6g%s", i*a.step, a.unit))
	}
}

// upTo is an axis from 0 with round figures.
func upTo(high float64, unit string) axis {
	raw := high / plotTicks
	step := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, by := range []float64{2, 2.5, 2} { // 1, 2, 5, 10
		if step >= raw*.75 {
			break
		}
		step *= by
	}
	return axis{0, high, step, unit}
}

// timeAxis is an axis of time in the unit that reads best.
func timeAxis(most time.Duration) axis {
	for _, u := range []struct {
		most, unit time.Duration
		name       string
	}{{3 * time.Second, time.Millisecond, " ms"}, {5 * time.Minute, time.Second, " s"}, {3 * time.Hour, time.Minute, " min"}} {
		if most < u.most {
			return upTo(float64(max(most, time.Millisecond))/float64(u.unit), u.name)
		}
	}
	return upTo(most.Hours(), " h")
}

// percentAxis is an axis of shares, in percent, from a lowest one: where all is near
// 100 %, an axis from 0 would show nothing.
func percentAxis(low float64) axis {
	for _, begin := range []struct{ at, step float64 }{{99, .25}, {95, 1}, {90, 2.5}, {80, 5}, {50, 10}} {
		if 100*low >= begin.at {
			return axis{begin.at, 100, begin.step, " %"}
		}
	}
	return axis{0, 100, 25, " %"}
}

// axes begins a picture with two axes and their figures.
func axes(up, right axis) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 %d %d" role="img">`, plotWidth, plotHeight)
	up.ticks(func(share float64, words string) {
		fmt.Fprintf(&b, `<path class="grid" d="M%d %.1fH%d"/>`, plotLeft, upwards(share), plotRight)
		fmt.Fprintf(&b, `<text x="%d" y="%.1f" text-anchor="end">%s</text>`, plotLeft-6, upwards(share)+4, words)
	})
	right.ticks(func(share float64, words string) {
		anchor := "middle"
		if share > .97 {
			anchor = "end"
		}
		fmt.Fprintf(&b, `<path class="axis" d="M%.1f %dv4"/>`, rightwards(share), plotBottom)
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="%s">%s</text>`, min(rightwards(share), plotRight), plotHeight-8, anchor, words)
	})
	fmt.Fprintf(&b, `<path class="axis" d="M%d %dH%d"/>`, plotLeft, plotBottom, plotRight)
	if up.low > 0 {
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">the axis begins at %.6g%s</text>`, plotRight, plotBottom-24, up.low, up.unit)
	}
	return b.String()
}

// floor begins a picture of columns, which have their figures themselves.
func floor() string {
	return fmt.Sprintf(`<svg viewBox="0 0 %d %d" role="img"><path class="axis" d="M%d %dH%d"/>`, plotWidth, plotHeight, plotLeft, plotBottom, plotRight)
}

// point is a place in a picture: a share of its width, and a share in figures.
type point struct{ x, y float64 }

// lowest is the least share of some points.
func lowest(all []point) float64 {
	low := 1.0
	for _, p := range all {
		low = min(low, p.y)
	}
	return low
}

// drawn is the i-th line of a picture.
func drawn(i int, line []point, up axis) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<path class="line l%d" d="`, i)
	for n, p := range line {
		fmt.Fprintf(&b, "%c%.1f %.1f", "ML"[min(n, 1)], rightwards(p.x), upwards(up.share(100*p.y)))
	}
	return b.String() + `"/>`
}

// legend is the i-th of n names of curves.
func legend(i, n int, name string) string {
	y := plotBottom - 14*(n-i)
	return fmt.Sprintf(`<path class="line l%d" d="M%d %dh26"/><text x="%d" y="%d">%s</text>`, i, plotRight-140, y, plotRight-108, y+4, name)
}
