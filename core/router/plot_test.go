package router

import (
	"cmp"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// drawStudy writes the plots of the study: what 95 % of requests take in each fleet, and how that goes over time where
// something changes.
func drawStudy(t *testing.T) {
	runs := map[string]map[string]*simulation{}
	for _, w := range worlds() {
		runs[w.name] = map[string]*simulation{}
		for _, strategy := range Strategies() {
			runs[w.name][strategy] = simulate(t, w, strategy, true, studySeed)
		}
	}
	save(t, "study-p95.svg", bars(runs))
	save(t, "study-time.svg", courses(runs))
}

func save(t *testing.T, name, svg string) {
	t.Helper()
	if err := os.MkdirAll("testdata", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join("testdata", name), []byte(svg), 0o644); err != nil {
		t.Fatal(err)
	}
}

// color is that of a strategy, told apart also by those who see red and green alike (the palette of Okabe and Ito).
func color(strategy string) string {
	switch strategy {
	case Adaptive:
		return "#009e73"
	case LeastBusy:
		return "#0072b2"
	case SimpleShuffle:
		return "#e69f00"
	case LatencyBased:
		return "#d55e00"
	case UsageBased:
		return "#cc79a7"
	case UsageBasedV2:
		return "#f0a6cf"
	}
	return "#999999"
}

// canvas is an SVG that is being written.
type canvas struct {
	strings.Builder
	width, height int
}

func newCanvas(width, height int, title string) *canvas {
	c := &canvas{width: width, height: height}
	fmt.Fprintf(c, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="sans-serif" font-size="12">`+"\n",
		width, height, width, height)
	fmt.Fprintf(c, "<title>%s</title>\n<rect width=\"%d\" height=\"%d\" fill=\"white\"/>\n", title, width, height)
	c.text(16, 24, "start", 15, title)
	return c
}

func (c *canvas) text(x, y float64, anchor string, size int, s string) {
	fmt.Fprintf(c, `<text x="%.1f" y="%.1f" text-anchor="%s" font-size="%d" fill="#222">%s</text>`+"\n", x, y, anchor, size, s)
}

func (c *canvas) line(x1, y1, x2, y2 float64, stroke string) {
	fmt.Fprintf(c, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s"/>`+"\n", x1, y1, x2, y2, stroke)
}

func (c *canvas) end() string { return c.String() + "</svg>\n" }

// scale puts seconds from 1 to 100 on a line of a length, by their logarithm.
func scale(seconds, length float64) float64 {
	return math.Log10(min(max(seconds, 1), 100)) / 2 * length
}

// bars draws a group of bars for each fleet.
func bars(runs map[string]map[string]*simulation) string {
	const left, bar, gap, width = 170, 13, 16, 560
	list := worlds()
	group := len(Strategies())*bar + gap
	c := newCanvas(left+width+190, 60+len(list)*group+30, "Seconds that 95 % of requests stay within, by fleet and strategy")
	bottom := float64(60 + len(list)*group)
	for _, s := range []float64{1, 2, 5, 10, 20, 50, 100} {
		x := left + scale(s, width)
		c.line(x, 44, x, bottom, "#ddd")
		c.text(x, bottom+16, "middle", 12, fmt.Sprintf("%v s", s))
	}
	for n, w := range list {
		top := float64(60 + n*group)
		c.text(left-10, top+float64(group-gap)/2, "end", 13, w.name)
		for k, strategy := range Strategies() {
			_, p95, _, _ := runs[w.name][strategy].result()
			y := top + float64(k*bar)
			fmt.Fprintf(c, `<rect x="%d" y="%.1f" width="%.1f" height="%d" fill="%s"/>`+"\n", left, y, max(scale(p95, width), 1), bar-2, color(strategy))
			c.text(left+scale(p95, width)+4, y+bar-4, "start", 10, fmt.Sprintf("%.1f", p95))
		}
	}
	legend(c, left+width+40, 64)
	return c.end()
}

func legend(c *canvas, x, y float64) {
	for i, strategy := range Strategies() {
		top := y + float64(i)*18
		fmt.Fprintf(c, `<rect x="%.1f" y="%.1f" width="12" height="12" fill="%s"/>`+"\n", x, top, color(strategy))
		c.text(x+18, top+10, "start", 11, strategy)
	}
}

// courses draws how long requests take over time, in fleets where something changes.
func courses(runs map[string]map[string]*simulation) string {
	const left, width, height, gap, top = 60, 520, 130, 56, 60
	names := []string{"one slow node", "one flapping node", "cold start", "slow for a while"}
	c := newCanvas(left+width+210, top+len(names)*(height+gap), "Seconds that 95 % of the requests of each five seconds take")
	for n, name := range names {
		y0 := float64(top + n*(height+gap) + height)
		c.text(left, y0-height-8, "start", 13, name)
		for _, s := range []float64{1, 10, 100} {
			y := y0 - scale(s, height)
			c.line(left, y, left+width, y, "#ddd")
			c.text(left-8, y+4, "end", 11, fmt.Sprintf("%v s", s))
		}
		for m := range 4 {
			x := left + float64(m)*width/3
			c.line(x, y0, x, y0+4, "#888")
			c.text(x, y0+16, "middle", 11, fmt.Sprintf("%d min", m))
		}
		for _, strategy := range slices.Backward(Strategies()) {
			if strategy == UsageBasedV2 || strategy == CostBased {
				continue // these do as usage-based-routing and simple-shuffle
			}
			var points []string
			for i, p95 := range course(runs[name][strategy].calls) {
				points = append(points, fmt.Sprintf("%.1f,%.1f", left+(float64(i)+0.5)*width/36, y0-scale(p95, height)))
			}
			stroke := "1.5"
			if strategy == Adaptive {
				stroke = "2.5"
			}
			fmt.Fprintf(c, `<polyline points="%s" fill="none" stroke="%s" stroke-width="%s"/>`+"\n", strings.Join(points, " "), color(strategy), stroke)
		}
	}
	legend(c, left+width+40, top)
	return c.end()
}

// course is the 95th percentile of what began in each five seconds of three minutes.
func course(calls []sample) []float64 {
	const step = 5 * time.Second
	var windows [36][]time.Duration
	for _, c := range calls {
		if n := int(c.begun / step); n < len(windows) {
			windows[n] = append(windows[n], c.took)
		}
	}
	out := make([]float64, len(windows))
	for i, took := range windows {
		slices.SortFunc(took, func(a, b time.Duration) int { return cmp.Compare(a, b) })
		if len(took) > 0 {
			out[i] = took[len(took)*95/100].Seconds()
		}
	}
	return out
}

// The plots hold what the study says: each fleet and strategy, and nothing that is no number.
func TestPlots(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"study-p95.svg", "study-time.svg"} {
		raw, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatalf("draw it with go test ./core/router -run TestStudy -study: %v", err)
		}
		svg := string(raw)
		if strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") || !strings.HasSuffix(svg, "</svg>\n") {
			t.Errorf("%s is broken", name)
		}
		for _, strategy := range Strategies() {
			if !strings.Contains(svg, ">"+strategy+"<") {
				t.Errorf("%s does not show %s", name, strategy)
			}
		}
	}
	svg, err := os.ReadFile("testdata/study-p95.svg")
	for _, w := range worlds() {
		if err != nil || !strings.Contains(string(svg), ">"+w.name+"<") {
			t.Errorf("%s is not shown", w.name)
		}
	}
}
