package grafana

import "github.com/grafana/grafana-foundation-sdk/go/units"

func apiPerformance() board {
	return board{
		slug: "api-performance", title: "API Performance",
		about: "Does the API keep its objectives: availability 99.9 %, 99 % of predictions within 100 ms, room for 1000 requests a minute.",
		shows: []event{alerts, swaps},
		rows: []row{
			{"Objectives", apiObjectives()},
			{"Traffic", apiTraffic()},
			{"Latency", apiLatency()},
			{"Prediction log", predictionLog()},
		},
	}
}

func apiObjectives() []panel {
	const (
		all      = `sum(increase(api_requests_total{here,endpoint!="/metrics"}[$__range]))`
		failed   = `(sum(increase(api_requests_total{here,endpoint!="/metrics",status_code=~"5.."}[$__range])) or vector(0))`
		predicts = `endpoint="/predict",method="POST"`
	)
	return []panel{
		{
			kind: figure, title: "Availability", unit: units.PercentUnit, decimals: 3, goal: atLeast(0.999),
			about:   "Share of requests in the shown time that did not end in a server error. Objective: 99.9 %.",
			queries: one("available", `1 - `+failed+` / `+all),
		},
		{
			kind: figure, title: "Error budget left", unit: units.PercentUnit, decimals: 1, goal: []step{{0, bad}, {0.25, odd}, {0.5, good}},
			about:   "What is left of the 0.1 % of requests that may fail in the shown time; 0 if it is used up.",
			queries: one("left", `clamp_min(1 - `+failed+` / `+all+` / 0.001, 0)`),
		},
		{
			kind: figure, title: "Predictions within 100 ms", unit: units.PercentUnit, decimals: 2, goal: atLeast(0.99),
			about: "Share of the calls of POST /predict in the shown time. Objective: 99 %.",
			queries: one("in time", `sum(increase(api_request_duration_seconds_bucket{here,`+predicts+`,le="0.1"}[$__range]))`+
				` / (sum(increase(api_request_duration_seconds_count{here,`+predicts+`}[$__range])) > 0)`),
			absent: "no predictions",
		},
		{
			kind: figure, title: "Prediction, p99", unit: units.Seconds, goal: below(0.1),
			about:   "99 % of the calls of POST /predict took no longer.",
			queries: quantiles("api_request_duration_seconds", "here,"+predicts)[2:],
			absent:  "no predictions",
		},
		{
			kind: figure, title: "Requests a minute", unit: units.RequestsPerMinute, decimals: 1,
			about:   "Answers of the API, scrapes left out.",
			queries: one("requests", `60 * sum(rate(api_requests_total{here,endpoint!="/metrics"}[$interval]))`),
		},
		{
			kind: figure, title: "Room for", unit: units.RequestsPerMinute, goal: atLeast(1000),
			about: "Requests a minute that the API could answer on its host if each cost as much processor time as now: what the processors have idle counts as free. " +
				"Objective: 1000. Says nothing below one request a second.",
			queries: one("capacity", `60 * (sum(rate(api_requests_total{here,endpoint!="/metrics"}[$interval])) > 1)`+
				` * (1 + max(rate(system_cpu_seconds_total{here,job="app",mode="idle"}[$interval])) / sum(rate(process_cpu_seconds_total{here,job="app"}[$interval])))`),
			absent: "too little traffic to tell",
		},
	}
}

func apiTraffic() []panel {
	shareOf := func(status string) string {
		return `(sum(rate(api_requests_total{here,endpoint!="/metrics",status_code=~"` + status + `"}[$interval])) or vector(0))` +
			` / (sum(rate(api_requests_total{here,endpoint!="/metrics"}[$interval])) > 0)`
	}
	return []panel{
		{
			title: "Requests by route", unit: units.RequestsPerSecond, stacked: true,
			about:   "Answers a second by method and route. A route that is not asked for is left out.",
			queries: one("{{method}} {{endpoint}}", `sum by (method, endpoint) (rate(api_requests_total{here}[$interval])) > 0`),
		},
		{
			title: "Answers by status", unit: units.RequestsPerSecond,
			about:   "Answers a second by status code, scrapes left out.",
			queries: one("{{status_code}}", `sum by (status_code) (rate(api_requests_total{here,endpoint!="/metrics"}[$interval]))`),
			absent:  "no requests",
		},
		{
			title: "Errors", unit: units.PercentUnit, goal: below(0.001),
			about:   "Share of answers that blame the server (5xx), against the objective of 0.1 %, and of those that blame the client (4xx). Scrapes are left out.",
			queries: []query{{"server (5xx)", shareOf("5..")}, {"client (4xx)", shareOf("4..")}},
			absent:  "no requests",
		},
	}
}

func apiLatency() []panel {
	return []panel{
		{
			title: "Predictions", unit: units.Seconds, goal: below(0.1), logarithmic: true,
			about:   "Quantiles of POST /predict, on a logarithmic axis. The points are single requests; with tracing on they lead to their traces.",
			queries: quantiles("api_request_duration_seconds", `here,endpoint="/predict",method="POST"`),
			absent:  "no predictions",
		},
		{
			title: "Slowest routes, p99", unit: units.Seconds, logarithmic: true,
			about: "The ten routes whose slowest hundredth takes longest. A retraining that is waited for takes its time.",
			queries: one("{{method}} {{endpoint}}",
				`topk(10, histogram_quantile(0.99, sum by (le, method, endpoint) (rate(api_request_duration_seconds_bucket{here}[$interval]))) >= 0)`),
		},
		{
			title: "Being answered", unit: units.Short,
			about:   "Requests that are at work, by instance.",
			queries: one("{{instance}}", `sum by (instance) (api_active_requests{here})`),
		},
		{
			kind: heat, title: "Durations of predictions", unit: units.Seconds, w: 24,
			about:   "How many calls of POST /predict took how long.",
			queries: one("{{le}}", `sum by (le) (increase(api_request_duration_seconds_bucket{here,endpoint="/predict",method="POST"}[$interval]))`),
		},
	}
}

func predictionLog() []panel {
	return []panel{
		{
			title: "Commit", unit: units.Seconds, logarithmic: true,
			about:   "Time of a transaction of the prediction log, which a prediction is answered after.",
			queries: quantiles("iacontinu_store_prediction_commit_seconds", "here"),
			absent:  "no predictions",
		},
		{
			title: "Rows a commit", unit: units.Short,
			about:   "Predictions that share a transaction, on average: more when many come at once.",
			queries: one("rows", `sum(rate(iacontinu_store_prediction_batch_rows_sum{here}[$interval])) / (sum(rate(iacontinu_store_prediction_batch_rows_count{here}[$interval])) > 0)`),
			absent:  "no predictions",
		},
		{
			title: "Waiting for a commit", unit: units.Short,
			about:   "Predictions that wait for their transaction.",
			queries: one("{{instance}}", `sum by (instance) (iacontinu_store_prediction_queue_length{here})`),
		},
	}
}
