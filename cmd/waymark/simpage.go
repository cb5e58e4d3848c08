package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/waymark-dht/waymark/internal/cli"
	"github.com/waymark-dht/waymark/sim"
)

// simReport is what the page of a simulation is made of.
type simReport struct {
	story   sim.Scenario
	result  sim.Result
	plots   sim.Plots
	asked   int    // how many members were, or 0
	command string // that repeats the run
	broken  string // the promise that broke, if one did
}

// page is the report of a simulation as one page that asks for nothing else:
// the verdict, the figures that matter, the pictures, then everything. It is put
// together by hand: a template would keep the linker from removing what nobody
// calls.
func (s simReport) page() []byte {
	var b strings.Builder
	p, r := s.plots, s.result
	fmt.Fprintf(&b, pageHead, s.story.Name, s.story.Name, r.Seed, s.story.About)
	b.WriteString(s.verdict())
	tiles(&b, r)
	plot(&b, "How long lookups took", "share of the lookups that had got so far, by the time since their start", distribution{
		{"first answer", p.First}, {"15 of the final 20", p.Most}, {"end", p.End},
	}.draw())
	plot(&b, "How far they went", "lookups by hops of the farthest informant that helped", columns(p.Depth))
	plot(&b, "What they found", "share of the true nearest peers that answer: the mean of the lookups that ended then, by virtual time", recallOverTime(p))
	plot(&b, "What is left of what was stored", "share of the records that somebody still stores, and of the searches that found one, by hours since they were stored", keptOverTime(r.Kept))
	plot(&b, "How long nodes took to be of use", "share of the nodes, by the time since they began", distribution{{"of use", p.Useful}}.draw())
	plot(&b, "When bootstraps ended", "each a point: by virtual time, and how long it took", scatter(p.Joined, p.Marks))
	plot(&b, "How full the tables are", "contacts of a member by bucket, the mean; the outline is what there is to hold: the bucket’s size, or all who belong there", levels(p.Fill))
	plot(&b, "Time against bound", "share of the operations that had ended by then, by the part of their bound", ofBound(p.Bound))
	b.WriteString("<h2>All figures</h2>\n")
	figures(&b, append(simFigures(s.asked, r), simFigure{"virtual", []string{cli.Duration(r.Virtual)}}))
	fmt.Fprintf(&b, "<p class=\"foot\">Written by waymark %s. Times are virtual, but for events per CPU second. This command repeats the run:</p>\n<code>%s</code>\n", release, escaped(s.command))
	b.WriteString("</main></html>\n")
	return []byte(b.String())
}

const pageHead = `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>waymark sim: %s</title>
<style>
:root{color-scheme:light dark;--ink:#1c2326;--dim:#5c686d;--rule:#d5dcdf;--page:#fdfdfc;--a:#0b6e99;--b:#b3541e;--c:#3d7a2a;--bad:#b3261e}
@media(prefers-color-scheme:dark){:root{--ink:#e4e8e9;--dim:#9aa7ac;--rule:#343d41;--page:#15191b;--a:#5cb8e0;--b:#e8935f;--c:#86c872;--bad:#ff8a80}}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
main{max-width:48rem;margin:0 auto;padding:2rem 1rem}
h1{font-size:1.6rem;margin:0}h1 small{font-weight:400;color:var(--dim);font-size:1rem}h2{font-size:1.1rem;margin:2.2rem 0 0}
p{margin:.2rem 0 .6rem;color:var(--dim)}.verdict{font-weight:600;margin:1rem 0;color:var(--c)}.broke{color:var(--bad)}.foot{margin-top:2rem}
code{font:13px ui-monospace,monospace;overflow-wrap:anywhere}
dl{display:grid;grid-template-columns:repeat(var(--beside),1fr);gap:1px;margin:1rem 0}
@media(max-width:42rem){dl{grid-template-columns:repeat(auto-fit,minmax(7.4rem,1fr))}}
dl div{box-shadow:0 0 0 1px var(--rule);padding:.6rem .8rem;display:flex;flex-direction:column-reverse;justify-content:flex-end}
dt{color:var(--dim);font-size:.85rem}dd{margin:0;font-size:1.35rem;font-variant-numeric:tabular-nums}
table{border-collapse:collapse;margin-top:.6rem;width:100%%}td,th{border-top:1px solid var(--rule);padding:.25rem 1rem .25rem 0;vertical-align:top;text-align:left;font-weight:400}
td:first-child,th{color:var(--dim);white-space:nowrap}td{font-variant-numeric:tabular-nums}
.plot{overflow-x:auto;background:linear-gradient(90deg,var(--page) 40%%,transparent) 0 0/3rem 100%% local,linear-gradient(270deg,var(--page) 40%%,transparent) 100%% 0/3rem 100%% local,linear-gradient(90deg,var(--rule),transparent) 0 0/1rem 100%% scroll,linear-gradient(270deg,var(--rule),transparent) 100%% 0/1rem 100%% scroll;background-repeat:no-repeat}svg{width:100%%;min-width:34rem;height:auto;display:block}svg text{fill:var(--dim);font:11px system-ui,sans-serif}
.axis{stroke:var(--dim);stroke-width:1;fill:none}.grid{stroke:var(--rule);stroke-width:1;fill:none}.mark{stroke:var(--dim);stroke-dasharray:3 3}
.l0{stroke:var(--a)}.l1{stroke:var(--b);stroke-dasharray:7 3}.l2{stroke:var(--c);stroke-dasharray:2 3}.line{fill:none;stroke-width:2}
.bar{fill:var(--a)}.dot{fill:var(--a);fill-opacity:.5}
@media print{body{font-size:12px}h2,svg{break-inside:avoid}}
</style>
<main><h1>%s <small>seed %d</small></h1><p>%s</p>
`

var escape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;")

func escaped(text string) string { return escape.Replace(text) }

// verdict says whether every promise held, before anything else.
func (s simReport) verdict() string {
	if s.broken != "" {
		return `<p class="verdict broke">✗ a promise broke: ` + escaped(s.broken) + "</p>\n"
	}
	return `<p class="verdict">✓ every promise held</p>` + "\n"
}

// tilesBeside is how many figures stand beside each other at most; lines of
// them are as full as each other.
const tilesBeside = 6

// tiles are the few figures for which somebody opens the page.
func tiles(b *strings.Builder, r sim.Result) {
	var all [][2]string
	add := func(name, value string) { all = append(all, [2]string{name, value}) }
	if r.Lookups > 0 {
		add("of "+cli.Count(r.Lookups, "lookup")+" converged", percent(r.Converged, r.Lookups))
		add("lookup end, p50", millis(r.P50))
		add("lookup end, p95", millis(r.P95))
		add("recall", fmt.Sprintf("%.4f", r.Recall))
	}
	if r.OnePath > 0 {
		add("of the honest found", percentOf(r.Honest))
		add("with one path", percentOf(r.OnePath))
	}
	if r.Target > 0 {
		add("next to the target", percentOf(r.Target))
	}
	if r.Bootstraps > 0 {
		add("of "+cli.Count(r.Bootstraps, "bootstrap")+" ready", percent(r.Ready, r.Bootstraps))
		add("bootstrap, p95", millis(r.Boot95))
	}
	if r.Back > 0 {
		add("the last of use after", millis(r.BackMax))
	}
	if n := len(r.Kept); n > 0 {
		last := r.Kept[n-1]
		add(fmt.Sprintf("found after %.0f h", last.Hours), percent(last.Found, last.Tries))
	}
	for i, s := range r.Swept {
		if s.Keys > 0 {
			add([]string{"lookups to begin with", "lookups in a cycle"}[i], cli.Number(s.Lookups))
		}
	}
	add("operations overdue", cli.Number(r.Overdue))
	add("of a bound used at most", fmt.Sprintf("%.0f %%", 100*r.OfBound))
	lines := (len(all) + tilesBeside - 1) / tilesBeside
	fmt.Fprintf(b, "<dl style=\"--beside:%d\">\n", (len(all)+lines-1)/lines)
	for _, t := range all {
		fmt.Fprintf(b, "<div><dt>%s</dt><dd>%s</dd></div>\n", escaped(t[0]), escaped(t[1]))
	}
	b.WriteString("</dl>\n")
}

// percent is a share, as precisely as it is worth: 100 % is all.
func percent(part, all int) string {
	return percentOf(float64(part) / float64(max(all, 1)))
}

func percentOf(share float64) string {
	if share == 1 {
		return "100 %"
	}
	return fmt.Sprintf("%.2f %%", 100*share)
}

// figures writes the table of what was measured.
func figures(b *strings.Builder, rows []simFigure) {
	b.WriteString("<table>\n")
	for _, row := range rows {
		fmt.Fprintf(b, "<tr><td>%s<td>%s\n", row.name, escaped(strings.Join(row.words, " · ")))
	}
	b.WriteString("</table>\n")
}

// plot writes one picture with its title, if there is a picture.
func plot(b *strings.Builder, title, legend, svg string) {
	if svg != "" {
		svg = strings.Replace(svg, `role="img"`, `role="img" aria-label="`+escaped(title)+`"`, 1)
		fmt.Fprintf(b, "<h2>%s</h2><p>%s</p>\n<div class=\"plot\" tabindex=\"0\">%s</div>\n", title, legend, svg)
	}
}

// curve is one line of a distribution.
type curve struct {
	name string
	took []time.Duration
}

type distribution []curve

// draw draws which share of each curve is done by when.
func (d distribution) draw() string {
	var most time.Duration
	for i, c := range d {
		d[i].took = slices.Sorted(slices.Values(c.took))
		if n := len(c.took); n > 0 {
			most = max(most, d[i].took[int(float64(n-1)*percentTail)])
		}
	}
	if most == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString(axes(percentAxis(0), timeAxis(most)))
	for i, c := range d {
		if len(c.took) == 0 {
			continue
		}
		fmt.Fprintf(&b, `<path class="line l%d" d="`, i)
		for step := range plotSteps + 1 {
			at := most * time.Duration(step) / plotSteps
			done, _ := slices.BinarySearch(c.took, at+1)
			fmt.Fprintf(&b, "%c%.1f %.1f", "ML"[min(step, 1)], rightwards(float64(step)/plotSteps), upwards(float64(done)/float64(len(c.took))))
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
	b.WriteString(floor())
	wide, tallest := float64(plotSpanX)/float64(len(counts)), float64(slices.Max(counts))
	for n, count := range counts {
		x, tall := plotLeft+wide*float64(n), float64(plotSpanY-14)*float64(count)/tallest
		fmt.Fprintf(&b, `<rect class="bar" x="%.1f" y="%.1f" width="%.1f" height="%.1f"><title>%s</title></rect>`, x+wide*.15, plotBottom-tall, wide*.7, tall, cli.Count(count, "lookup"))
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle">%d</text>`, x+wide/2, plotHeight-8, n)
		if count > 0 {
			fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" text-anchor="middle">%.1f %%</text>`, x+wide/2, plotBottom-tall-4, 100*float64(count)/float64(len(all)))
		}
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
	var line []point
	for slot := range sum {
		if count[slot] > 0 {
			line = append(line, point{(float64(slot) + .5) / (plotSlots + 1), sum[slot] / count[slot]})
		}
	}
	up := percentAxis(lowest(line))
	var b strings.Builder
	b.WriteString(axes(up, timeAxis(time.Duration(end))))
	b.WriteString(marked(p.Marks, max(time.Duration(end).Seconds(), 1), plotBottom-6))
	b.WriteString(drawn(0, line, up))
	return b.String() + "</svg>"
}

// keptOverTime draws what is left of what was stored.
func keptOverTime(all []sim.Kept) string {
	if len(all) == 0 {
		return ""
	}
	end := max(all[len(all)-1].Hours, 1)
	var there, found []point
	for _, k := range all {
		there = append(there, point{k.Hours / end, k.There})
		found = append(found, point{k.Hours / end, float64(k.Found) / float64(max(k.Tries, 1))})
	}
	up := percentAxis(lowest(append(slices.Clone(there), found...)))
	var b strings.Builder
	b.WriteString(axes(up, timeAxis(time.Duration(end*float64(time.Hour)))))
	b.WriteString(drawn(0, there, up) + legend(0, 2, "still there"))
	b.WriteString(drawn(1, found, up) + legend(1, 2, "found"))
	return b.String() + "</svg>"
}
