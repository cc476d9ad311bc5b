package grafana

import "github.com/grafana/grafana-foundation-sdk/go/units"

// ours are the jobs of the platform's own processes.
const ours = `job=~"app|worker|random-check-flow"`

func systemHealth() board {
	return board{
		slug: "system-health", title: "System Health",
		about: "Do the processes run, and what do they and their host use: processors below 70 %, memory below 80 %.",
		shows: []event{alerts},
		rows: []row{
			{"At a glance", systemGlance()},
			{"Processes", systemProcesses()},
			{"Host", systemHost()},
			{"Go runtime", systemRuntime()},
		},
	}
}

// share of something that hosts use; of several hosts the fullest.
func usedShare(metric string) string {
	return `max(sum by (instance) (` + metric + `{here,state="used"}) / sum by (instance) (` + metric + `{here,state="total"}))`
}

func systemGlance() []panel {
	return []panel{
		{
			kind: figure, title: "Processes down", unit: units.Short, goal: below(1),
			about:   "Processes of the platform that Prometheus cannot reach.",
			queries: one("down", `count(up{`+ours+`,here} == 0) or vector(0)`),
		},
		{
			kind: figure, title: "Alerts that fire", unit: units.Short, goal: below(1),
			about:   "Alerts of any severity.",
			queries: one("firing", `count(ALERTS{alertstate="firing"}) or vector(0)`),
		},
		{
			kind: figure, title: "Processors", unit: units.PercentUnit, decimals: 1, goal: []step{{0, good}, {0.7, odd}, {0.9, bad}},
			about:   "Busy share of all cores of the host. Objective: below 70 %.",
			queries: one("busy", `max(sum by (instance) (rate(system_cpu_seconds_total{here,mode="busy"}[$interval])) / sum by (instance) (rate(system_cpu_seconds_total{here}[$interval])))`),
		},
		{
			kind: figure, title: "Memory", unit: units.PercentUnit, decimals: 1, goal: []step{{0, good}, {0.8, odd}, {0.9, bad}},
			about:   "Used share of the host's memory. Objective: below 80 %.",
			queries: one("used", usedShare("system_memory_usage_bytes")),
		},
		{
			kind: figure, title: "Disk", unit: units.PercentUnit, decimals: 1, goal: []step{{0, good}, {0.8, odd}, {0.9, bad}},
			about:   "Used share of the disk that holds the data folder.",
			queries: one("used", usedShare("system_disk_usage_bytes")),
		},
		{
			kind: figure, title: "Restarts", unit: units.Short, goal: []step{{0, good}, {1, odd}},
			about:   "Starts of processes after the first one in the shown time.",
			queries: one("restarts", `sum(changes(process_start_time_seconds{here,`+ours+`}[$__range]))`),
		},
	}
}

func systemProcesses() []panel {
	return []panel{
		{
			kind: timeline, title: "Reached by Prometheus", unit: units.Short, w: 12,
			about:   "Whether the last scrape of each process came back.",
			queries: one("{{job}} {{instance}}", `max by (job, instance) (up{here,`+ours+`})`),
			states:  []state{{"0", "down", bad}, {"1", "up", good}},
			goal:    atLeast(1),
		},
		{
			kind: listing, title: "Builds", unit: units.Short, w: 12,
			about:   "Which build runs in each process.",
			queries: one("{{job}} {{instance}} {{version}}", `max by (job, instance, process, version, environment) (app_info{here})`),
		},
		{
			title: "Processor time", unit: units.Short, w: 6,
			about:   "Cores that each process keeps busy.",
			queries: one("{{job}} {{instance}}", `sum by (job, instance) (rate(process_cpu_seconds_total{here,`+ours+`}[$interval]))`),
		},
		{
			title: "Resident memory", unit: units.BytesIEC, w: 6,
			about:   "Memory of each process.",
			queries: one("{{job}} {{instance}}", `sum by (job, instance) (process_resident_memory_bytes{here,`+ours+`})`),
		},
		{
			title: "Open files", unit: units.PercentUnit, w: 6,
			about:   "Files and connections that each process has open, as a share of those it may have.",
			queries: one("{{job}} {{instance}}", `sum by (job, instance) (process_open_fds{here,`+ours+`}) / sum by (job, instance) (process_max_fds{here,`+ours+`})`),
		},
		{
			title: "Scrapes", unit: units.Seconds, w: 6,
			about:   "How long Prometheus waits for the metrics of each process.",
			queries: one("{{job}} {{instance}}", `max by (job, instance) (scrape_duration_seconds{here,`+ours+`})`),
		},
	}
}

func systemHost() []panel {
	return []panel{
		{
			title: "Processors", unit: units.Percent, top: 100, goal: below(70),
			about:   "Busy share of all cores. Processes of one host tell the same.",
			queries: one("{{job}} {{instance}}", `max by (job, instance) (system_cpu_usage_percent{here})`),
		},
		{
			title: "Memory", unit: units.BytesIEC,
			about:   "Memory of the host.",
			queries: one("{{state}}", `max by (state) (system_memory_usage_bytes{here})`),
		},
		{
			title: "Network", unit: units.BytesPerSecondSI,
			about:   "What the host receives and sends, its own loopback left out.",
			queries: one("{{direction}}", `max by (direction) (rate(system_network_bytes_total{here}[$interval]))`),
		},
		{
			title: "Disk", unit: units.BytesIEC,
			about: "The disk that holds the data folder, and what will be used in a day if it goes on as in the last six hours.",
			queries: []query{
				{"{{state}}", `max by (state) (system_disk_usage_bytes{here})`},
				{"used in a day", `clamp(max(predict_linear(system_disk_usage_bytes{here,state="used"}[6h], 86400)), 0, scalar(max(system_disk_usage_bytes{here,state="total"})))`},
			},
		},
		{
			title: "Disk traffic", unit: units.BytesPerSecondSI,
			about:   "What the disks of the host read and write.",
			queries: one("{{direction}}", `max by (direction) (rate(system_disk_io_bytes_total{here}[$interval]))`),
		},
		{
			title: "Database", unit: units.BytesIEC,
			about:   "Size of the database's files.",
			queries: one("size", `max(iacontinu_store_database_bytes{here})`),
		},
	}
}

func systemRuntime() []panel {
	return []panel{
		{
			title: "Goroutines", unit: units.Short,
			about:   "Goroutines of each process; a number that only grows is a leak.",
			queries: one("{{job}} {{instance}}", `sum by (job, instance) (go_goroutines{here,`+ours+`})`),
		},
		{
			title: "Heap", unit: units.BytesIEC,
			about:   "Memory that each process holds in objects.",
			queries: one("{{job}} {{instance}}", `sum by (job, instance) (go_memstats_heap_alloc_bytes{here,`+ours+`})`),
		},
		{
			title: "Pauses", unit: units.PercentUnit,
			about:   "Share of the time that the garbage collector stops each process.",
			queries: one("{{job}} {{instance}}", `sum by (job, instance) (rate(go_gc_duration_seconds_sum{here,`+ours+`}[$interval]))`),
		},
	}
}
