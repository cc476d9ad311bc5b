package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"iacontinu/bench/harness"
)

func report(w io.Writer, o options, subjects []subject, results map[string][]round) {
	fmt.Fprintf(w, "POST /predict, %d rounds of %d s, wrk with one thread; medians (lowest to highest)\n\n", o.rounds, o.seconds)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "server\tconnections\tpredict/s\tp50 ms\tp99 ms\terrors\tCPU us/predict\tRSS MB\tready ms\t")
	for _, s := range subjects {
		for _, c := range connections {
			row(t, s, c, results[s.key])
		}
	}
	_ = t.Flush() // standard output
	var lost int64
	for _, rounds := range results {
		for _, r := range rounds {
			lost += r.lost
		}
	}
	fmt.Fprintf(w, "\nacknowledged predictions without a row: %d\n", lost)
	ratios(w, results)
}

func reportIdle(w io.Writer, i idle) {
	fmt.Fprintf(w, "idle `up`: start to ready %d ms (%d ms on an empty folder, which trains a first model), goal 300; "+
		"%.1f MB resident, goal 80; %.1f%% of one core\n",
		i.nextReady.Milliseconds(), i.firstReady.Milliseconds(), float64(i.rss)/1e6, i.cpu.Seconds()/idleTime.Seconds()*100)
}

func row(w io.Writer, s subject, c int, rounds []round) {
	rps, low, high := spread(rounds, func(r round) float64 { return r.load[c].Throughput() })
	p50, _, _ := spread(rounds, func(r round) float64 { return r.load[c].P50 / 1000 })
	p99, _, _ := spread(rounds, func(r round) float64 { return r.load[c].P99 / 1000 })
	cpu, _, _ := spread(rounds, func(r round) float64 { return cpuPerPredict(r, c) })
	rss, _, _ := spread(rounds, func(r round) float64 { return float64(r.rss) / 1e6 })
	ready, _, _ := spread(rounds, func(r round) float64 { return r.ready.Seconds() * 1000 })
	var errors int64
	for _, r := range rounds {
		errors += r.load[c].Errors()
	}
	fmt.Fprintf(w, "%s\t%d\t%.0f (%.0f to %.0f)\t%.2f\t%.2f\t%d\t%.1f\t%.0f\t%.0f\t\n",
		s.name, c, rps, low, high, p50, p99, errors, cpu, rss, ready)
}

func cpuPerPredict(r round, c int) float64 {
	return float64(r.cpu[c].Microseconds()) / float64(r.load[c].Requests)
}

// comparison is one printed ratio of throughputs, with its goal by number of connections.
type comparison struct {
	key, against string
	goals        map[int]string
}

var comparisons = []comparison{
	{ours, fastapi, map[int]string{16: "goal 14", 64: "goal 20"}},
	{ours, fastapi2, nil},
	{ours, bare, map[int]string{64: "goal 0.55"}},
	{apart, fastapi, nil},
	{apart, bare, nil},
	{down, ours, map[int]string{64: "goal 1"}},
}

// ratios are taken within a round, where both sides saw the same minute of the machine.
func ratios(w io.Writer, results map[string][]round) {
	for _, c := range connections {
		for _, p := range comparisons {
			ratio(w, results, c, p, "predict/s", p.goals[c], func(a, b round) float64 {
				return a.load[c].Throughput() / b.load[c].Throughput()
			})
		}
	}
	const c = 64
	ratio(w, results, c, comparison{key: ours, against: fastapi}, "p99 to p50", "goal below 1", func(a, b round) float64 {
		return a.load[c].P99 / b.load[c].P50
	})
}

func ratio(w io.Writer, results map[string][]round, c int, p comparison, what, goal string, f func(a, b round) float64) {
	a, b := results[p.key], results[p.against]
	if len(a) == 0 || len(b) == 0 {
		return // not among the servers asked for
	}
	var values []float64
	for i := range a {
		values = append(values, f(a[i], b[i]))
	}
	m, low, high := summary(values)
	fmt.Fprintf(w, "ratio %s, %d connections, %s / %s: %.2f (%.2f to %.2f) %s\n", what, c, p.key, p.against, m, low, high, goal)
}

func spread(rounds []round, f func(round) float64) (median, low, high float64) {
	var values []float64
	for _, r := range rounds {
		values = append(values, f(r))
	}
	return summary(values)
}

func summary(values []float64) (median, low, high float64) {
	if len(values) == 0 {
		return
	}
	low, high = values[0], values[0]
	for _, v := range values {
		low, high = min(low, v), max(high, v)
	}
	return harness.Median(values), low, high
}
