package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/waymark-dht/waymark/sim"
)

// simPage is the report of a simulation as one page that asks for nothing
// else. It is put together by hand: a template would keep the linker from
// removing what nobody calls.
func simPage(story sim.Scenario, r sim.Result, opt sim.Options, p sim.Plots) []byte {
	var b strings.Builder
	command := opt
	command.Scenario, command.Nodes = story.Name, r.Nodes
	fmt.Fprintf(&b, pageHead, story.Name, story.Name, r.Seed, story.About, escaped(command.Command()))
	figures(&b, r)
	plot(&b, "How long lookups took", "share of lookups that got so far, by milliseconds since their start", distribution{
		{"first answer", seconds(p.First)}, {"15 of the final 20", seconds(p.Most)}, {"end", seconds(p.End)},
	}.draw())
	plot(&b, "How far they went", "lookups by hops of the farthest informant that helped", columns(p.Depth))
	plot(&b, "What they found", "share of the true nearest peers that answer, mean of the lookups that ended then, by virtual time", recallOverTime(p))
	plot(&b, "How long nodes took to be of use", "share of the nodes, by milliseconds", distribution{{"of use", seconds(p.Useful)}}.draw())
	plot(&b, "When bootstraps ended", "each a point: by virtual time, and how long it took", scatter(p.Joined, p.Marks))
	plot(&b, "How full the tables are", "contacts of a member by bucket, the mean; the outline is what there is to hold: the bucket's size, or all who belong there", levels(p.Fill))
	plot(&b, "Time against bound", "share of the operations that had ended by then, by the part of their bound", ofBound(p.Bound))
	b.WriteString("</main></html>\n")
	return []byte(b.String())
}

const pageHead = `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>waymark sim: %s</title>
<style>
:root{color-scheme:light dark;--ink:#1c2326;--dim:#667277;--rule:#d5dcdf;--page:#fdfdfc;--a:#0b6e99;--b:#b3541e;--c:#3d7a2a}
@media(prefers-color-scheme:dark){:root{--ink:#e4e8e9;--dim:#94a1a6;--rule:#3a4448;--page:#15191b;--a:#5cb8e0;--b:#e8935f;--c:#86c872}}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
main{max-width:46rem;margin:0 auto;padding:2rem 1rem}
h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;margin:2rem 0 0}p{margin:.2rem 0 .6rem;color:var(--dim)}
code{font:13px ui-monospace,monospace;overflow-wrap:anywhere}
table{border-collapse:collapse;margin-top:1rem;width:100%%}td{border-top:1px solid var(--rule);padding:.25rem 1rem .25rem 0;vertical-align:top}
td:first-child{color:var(--dim);white-space:nowrap}
svg{width:100%%;height:auto;display:block}svg text{fill:var(--dim);font:11px system-ui,sans-serif}
.axis{stroke:var(--rule);stroke-width:1;fill:none}.mark{stroke:var(--dim);stroke-dasharray:3 3}
.l0{stroke:var(--a)}.l1{stroke:var(--b);stroke-dasharray:7 3}.l2{stroke:var(--c);stroke-dasharray:2 3}.line{fill:none;stroke-width:2}
.bar{fill:var(--a)}.dot{fill:var(--a);fill-opacity:.5}
</style>
<main><h1>%s, seed %d</h1><p>%s</p>
<code>%s</code>
`

var escape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;")

func escaped(text string) string { return escape.Replace(text) }

// figures writes the table of what was measured.
func figures(b *strings.Builder, r sim.Result) {
	rows := [][2]string{
		{"nodes", fmt.Sprintf("%d, %d %% of them dead from the start", r.Nodes, r.Dead)},
		{"bound", fmt.Sprintf("%d operations, overdue %d, stalled %d, at most %s over; %.0f %% of a bound used at most", r.Operations, r.Overdue, r.Stalled, millis(r.MaxOverBound), 100*r.OfBound)},
		{"engine", fmt.Sprintf("%d events, %.0f per CPU second, %.0f bytes per node", r.Events, r.EventsPerCPUs, r.BytesPerNode)},
		{"virtual time", r.Virtual.Round(time.Millisecond).String()},
		{"trace", r.TraceHash},
	}
	if r.Lookups > 0 {
		rows = append(rows,
			[2]string{"lookups", fmt.Sprintf("%d, %d converged, recall %.4f", r.Lookups, r.Converged, r.Recall)},
			[2]string{"end", fmt.Sprintf("p50 %s, p95 %s", millis(r.P50), millis(r.P95))},
			[2]string{"15 of 20", fmt.Sprintf("p50 %s, p95 %s", millis(r.Most50), millis(r.Most95))},
			[2]string{"requests", fmt.Sprintf("%.1f for each lookup", r.Requests)})
	}
	if r.Bootstraps > 0 {
		rows = append(rows, [2]string{"joined", fmt.Sprintf("%d of %d, p50 %s, p95 %s", r.Ready, r.Bootstraps, millis(r.Boot50), millis(r.Boot95))})
	}
	if r.Back > 0 {
		rows = append(rows, [2]string{"of use", fmt.Sprintf("%d nodes, p50 %s, p95 %s, last %s of at most %s", r.Back, millis(r.Back50), millis(r.Back95), millis(r.BackMax), millis(r.BackBound))})
	}
	b.WriteString("<table>\n")
	for _, row := range rows {
		fmt.Fprintf(b, "<tr><td>%s<td>%s\n", row[0], escaped(row[1]))
	}
	b.WriteString("</table>\n")
}

// plot writes one picture with its title, if there is a picture.
func plot(b *strings.Builder, title, legend, svg string) {
	if svg != "" {
		fmt.Fprintf(b, "<h2>%s</h2><p>%s</p>\n%s\n", title, legend, svg)
	}
}

// The measures of a picture.
const (
	plotWidth, plotHeight         = 720, 240
	plotLeft, plotTop             = 48, 10
	plotRight, plotBottom         = plotWidth - 10, plotHeight - 24
	plotSpanX, plotSpanY          = plotRight - plotLeft, plotBottom - plotTop
	plotSteps                     = 120 // points of a curve
	plotSlots                     = 60  // stretches of virtual time
	percentTail           float64 = .995
)

// axes is a picture's axes: shares upwards, something else to the right.
func axes(most float64, unit string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 %d %d" role="img"><path class="axis" d="M%d %dV%dH%d"/>`, plotWidth, plotHeight, plotLeft, plotTop, plotBottom, plotRight)
	for i := range 5 {
		share := float64(i) / 4
		fmt.Fprintf(&b, `<text x="%d" y="%.0f" text-anchor="end">%.0f %%</text>`, plotLeft-5, upwards(share)+4, share*100)
		fmt.Fprintf(&b, `<text x="%.0f" y="%d" text-anchor="%s">%.0f%s</text>`, rightwards(share), plotHeight-8, anchors[i], share*most, unit)
	}
	return b.String()
}

func upwards(share float64) float64    { return plotBottom - share*plotSpanY }
func rightwards(share float64) float64 { return plotLeft + share*plotSpanX }

// curve is one line of a distribution.
type curve struct {
	name string
	ms   []float64 // sorted
}

type distribution []curve

func seconds(all []time.Duration) []float64 {
	list := make([]float64, len(all))
	for i, d := range all {
		list[i] = ms(d)
	}
	slices.Sort(list)
	return list
}

// draw draws which share of each curve is done by when.
func (d distribution) draw() string {
	most := 0.0
	for _, c := range d {
		if n := len(c.ms); n > 0 {
			most = max(most, c.ms[int(float64(n-1)*percentTail)])
		}
	}
	if most == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString(axes(most, " ms"))
	for i, c := range d {
		if len(c.ms) == 0 {
			continue
		}
		fmt.Fprintf(&b, `<path class="line l%d" d="`, i)
		for step := range plotSteps + 1 {
			at := most * float64(step) / plotSteps
			done, _ := slices.BinarySearch(c.ms, at)
			fmt.Fprintf(&b, "%c%.1f %.1f", "ML"[min(step, 1)], rightwards(at/most), upwards(float64(done)/float64(len(c.ms))))
		}
		b.WriteString(`"/>`)
		b.WriteString(legend(i, len(d), c.name))
	}
	return b.String() + "</svg>"
}

// columns draws how often each number occurs.
func columns(all []int) string {
	if len(all) == 0 {
		return ""
	}
	most := slices.Max(all)
	counts := make([]int, most+1)
	for _, n := range all {
		counts[n]++
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 %d %d" role="img"><path class="axis" d="M%d %dH%d"/>`, plotWidth, plotHeight, plotLeft, plotBottom, plotRight)
	wide, tallest := float64(plotSpanX)/float64(len(counts)), float64(slices.Max(counts))
	for n, count := range counts {
		x, tall := plotLeft+wide*float64(n), float64(plotSpanY-14)*float64(count)/tallest
		fmt.Fprintf(&b, `<rect class="bar" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>`, x+wide*.15, plotBottom-tall, wide*.7, tall)
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle">%d</text>`, x+wide/2, plotHeight-8, n)
		fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" text-anchor="middle">%.1f %%</text>`, x+wide/2, plotBottom-tall-4, 100*float64(count)/float64(len(all)))
	}
	return b.String() + "</svg>"
}

// recallOverTime draws the mean recall of stretches of virtual time, and what
// the scenario did meanwhile.
func recallOverTime(p sim.Plots) string {
	if len(p.Recall) == 0 {
		return ""
	}
	end := p.Recall[0].At
	for _, r := range p.Recall {
		end = max(end, r.At)
	}
	share := func(at int64) float64 { return float64(at) / max(float64(end), 1) }
	var sum, count [plotSlots + 1]float64
	for _, r := range p.Recall {
		slot := int(share(int64(r.At)) * plotSlots)
		sum[slot] += r.Value
		count[slot]++
	}
	var b strings.Builder
	b.WriteString(axes(time.Duration(end).Seconds(), " s"))
	b.WriteString(marked(p.Marks, max(time.Duration(end).Seconds(), 1), plotBottom-6))
	b.WriteString(`<path class="line l0" d="`)
	pen := 'M'
	for slot := range sum {
		if count[slot] > 0 {
			fmt.Fprintf(&b, "%c%.1f %.1f", pen, rightwards((float64(slot)+.5)/(plotSlots+1)), upwards(sum[slot]/count[slot]))
			pen = 'L'
		}
	}
	return b.String() + `"/></svg>`
}
