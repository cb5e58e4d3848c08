package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/waymark-dht/waymark/sim"
)

// scatterMost is how many points a picture shows: more make it no clearer, and
// a soak has a hundred thousand.
const scatterMost = 3000

// scatter draws bootstraps as points: when they ended, and how long they took.
func scatter(all []sim.Point, marks []sim.Mark) string {
	if len(all) == 0 {
		return ""
	}
	end, most := 1.0, 1.0
	for _, p := range all {
		end, most = max(end, time.Duration(p.At).Seconds()), max(most, p.Value/1000)
	}
	var b strings.Builder
	b.WriteString(scales(most, " s", end, " s"))
	b.WriteString(marked(marks, end, plotTop+10))
	every := 1 + len(all)/scatterMost
	for i := 0; i < len(all); i += every {
		fmt.Fprintf(&b, `<circle class="dot" cx="%.1f" cy="%.1f" r="2"/>`, rightwards(time.Duration(all[i].At).Seconds()/end), upwards(all[i].Value/1000/most))
	}
	return b.String() + "</svg>"
}

// markRoom is how much room the words beside a mark want; of marks that are
// nearer to each other only the first is named.
const markRoom = 110

// marked draws what a scenario did, on an axis that ends after so many seconds.
func marked(marks []sim.Mark, end float64, y int) string {
	var b strings.Builder
	named := -float64(markRoom)
	for _, m := range marks {
		x := rightwards(min(1, time.Duration(m.At).Seconds()/end))
		fmt.Fprintf(&b, `<path class="mark" d="M%.1f %dV%d"/>`, x, plotTop, plotBottom)
		if x >= named+markRoom {
			named = x
			fmt.Fprintf(&b, `<text x="%.1f" y="%d">%s</text>`, x+4, y, escaped(m.What))
		}
	}
	return b.String()
}

// levels draws what a table holds by bucket, within an outline of what it could.
func levels(all []sim.Level) string {
	if len(all) == 0 {
		return ""
	}
	most := 1.0
	for _, l := range all {
		most = max(most, l.Have, l.Could)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 %d %d" role="img"><path class="axis" d="M%d %dH%d"/>`, plotWidth, plotHeight, plotLeft, plotBottom, plotRight)
	wide := float64(plotSpanX) / float64(len(all))
	for i, l := range all {
		x, have, could := plotLeft+wide*float64(i), (plotSpanY-14)*l.Have/most, (plotSpanY-14)*l.Could/most
		fmt.Fprintf(&b, `<rect class="bar" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>`, x+wide*.15, plotBottom-have, wide*.7, have)
		fmt.Fprintf(&b, `<rect class="line l1" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>`, x+wide*.1, plotBottom-could, wide*.8, could)
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle">%d</text>`, x+wide/2, plotHeight-8, l.Bucket)
		fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" text-anchor="middle">%.3g</text>`, x+wide/2, plotBottom-max(have, could)-4, l.Have)
	}
	return b.String() + "</svg>"
}

// ofBound draws which part of their bound walks and bootstraps had used when
// they ended.
func ofBound(all [2]sim.Shares) string {
	var b strings.Builder
	b.WriteString(axes(100, " %"))
	drawn := 0
	for i, name := range []string{"lookups", "bootstraps"} {
		sum, done := uint64(0), uint64(0)
		for _, n := range all[i] {
			sum += n
		}
		if sum == 0 {
			continue
		}
		fmt.Fprintf(&b, `<path class="line l%d" d="M%d %d`, i, plotLeft, plotBottom)
		for slot, n := range all[i] {
			done += n
			fmt.Fprintf(&b, "L%.1f %.1f", rightwards(min(1, float64(slot+1)/float64(len(all[i])-1))), upwards(float64(done)/float64(sum)))
		}
		b.WriteString(`"/>`)
		b.WriteString(legend(i, 2, name))
		drawn++
	}
	if drawn == 0 {
		return ""
	}
	return b.String() + "</svg>"
}

// legend is the i-th of n names of curves.
func legend(i, n int, name string) string {
	y := plotBottom - 14*(n-i)
	return fmt.Sprintf(`<path class="line l%d" d="M%d %dh26"/><text x="%d" y="%d">%s</text>`, i, plotRight-140, y, plotRight-108, y+4, name)
}

// scales is axes with figures in place of shares.
func scales(high float64, unitY string, wide float64, unitX string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 %d %d" role="img"><path class="axis" d="M%d %dV%dH%d"/>`, plotWidth, plotHeight, plotLeft, plotTop, plotBottom, plotRight)
	for i := range 5 {
		part := float64(i) / 4
		fmt.Fprintf(&b, `<text x="%d" y="%.0f" text-anchor="end">%.3g%s</text>`, plotLeft-5, upwards(part)+4, part*high, unitY)
		fmt.Fprintf(&b, `<text x="%.0f" y="%d" text-anchor="%s">%.0f%s</text>`, rightwards(part), plotHeight-8, anchors[i], part*wide, unitX)
	}
	return b.String()
}

// anchors are where the five figures below a picture hold on to.
var anchors = [...]string{"start", "middle", "middle", "middle", "end"}
