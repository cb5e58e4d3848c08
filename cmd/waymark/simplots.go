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
	end, most := time.Second, 1.0
	for _, p := range all {
		end, most = max(end, time.Duration(p.At)), max(most, p.Value/1000)
	}
	var b strings.Builder
	b.WriteString(axes(upTo(most, " s"), timeAxis(end)))
	b.WriteString(marked(marks, end.Seconds(), plotTop+10))
	every := 1 + len(all)/scatterMost
	for i := 0; i < len(all); i += every {
		fmt.Fprintf(&b, `<circle class="dot" cx="%.1f" cy="%.1f" r="2"/>`, rightwards(float64(all[i].At)/float64(end)), upwards(all[i].Value/1000/most))
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
		fmt.Fprintf(&b, `<path class="mark" d="M%.1f %dV%d"><title>%s</title></path>`, x, plotTop, plotBottom, escaped(m.What))
		if x >= named+markRoom {
			named = x
			beside, anchor := x+4, "start"
			if x > plotRight-markRoom/2 {
				beside, anchor = x-4, "end"
			}
			fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="%s">%s</text>`, beside, y, anchor, escaped(m.What))
		}
	}
	return b.String()
}

// levelLeast is how many contacts a bucket could hold, on average, to be worth a
// column: the deepest buckets of a few members hold one or two.
const levelLeast = .1

// levels draws what a table holds by bucket, within an outline of what it could.
func levels(all []sim.Level) string {
	for len(all) > 0 && max(all[len(all)-1].Have, all[len(all)-1].Could) < levelLeast {
		all = all[:len(all)-1]
	}
	if len(all) == 0 {
		return ""
	}
	most := 1.0
	for _, l := range all {
		most = max(most, l.Have, l.Could)
	}
	var b strings.Builder
	b.WriteString(floor())
	wide := float64(plotSpanX) / float64(len(all))
	for i, l := range all {
		x, have, could := plotLeft+wide*float64(i), (plotSpanY-14)*l.Have/most, (plotSpanY-14)*l.Could/most
		fmt.Fprintf(&b, `<rect class="bar" x="%.1f" y="%.1f" width="%.1f" height="%.1f"><title>%.2f of %.2f</title></rect>`, x+wide*.15, plotBottom-have, wide*.7, have, l.Have, l.Could)
		fmt.Fprintf(&b, `<rect class="line l1" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>`, x+wide*.1, plotBottom-could, wide*.8, could)
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle">%d</text>`, x+wide/2, plotHeight-8, l.Bucket)
		fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" text-anchor="middle">%s</text>`, x+wide/2, plotBottom-max(have, could)-4, mean(l.Have))
	}
	return b.String() + "</svg>"
}

// mean is a mean as precisely as a column has room for.
func mean(x float64) string {
	switch {
	case x >= 10 || x == 0:
		return fmt.Sprintf("%.0f", x)
	case x >= 1:
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.2f", x)
}

// ofBound draws which part of their bound walks and bootstraps had used when
// they ended.
func ofBound(all [2]sim.Shares) string {
	var b strings.Builder
	b.WriteString(axes(percentAxis(0), axis{0, 100, 25, " %"}))
	curves := 0
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
		curves++
	}
	if curves == 0 {
		return ""
	}
	return b.String() + "</svg>"
}
