package grafana

import "github.com/grafana/grafana-foundation-sdk/go/units"

const optional = "not set up, or never asked"

func pipeline() board {
	return board{
		slug: "pipeline", title: "Pipeline",
		about: "From the check to the news: checks, jobs, the steps of a retraining, and what MLflow, Prefect and Discord are owed.",
		shows: []event{alerts, retrains},
		rows: []row{
			{"At a glance", pipelineGlance()},
			{"Checks", pipelineChecks()},
			{"Jobs", pipelineJobs()},
			{"Retraining", pipelineRetraining()},
			{"What others are owed", pipelineDeliveries()},
			{"Data", pipelineData()},
		},
	}
}

func pipelineGlance() []panel {
	return []panel{
		{
			kind: figure, title: "Last check, in intervals", unit: units.Short, decimals: 1, goal: []step{{0, good}, {2, odd}, {4, bad}},
			about:   "Time since the last check by the time that is set between two: above 2, checks have stopped or are late.",
			queries: one("intervals", `(time() - (max(iacontinu_check_last_timestamp_seconds{here}) > 0)) / max(iacontinu_check_interval_seconds{here})`),
			absent:  "no check yet",
		},
		{
			kind: figure, title: "Checks", unit: units.Short,
			about:   "Checks that were made in the shown time.",
			queries: one("checks", `round(sum(increase(iacontinu_check_duration_seconds_count{here}[$__range])))`),
		},
		{
			kind: figure, title: "Jobs that wait", unit: units.Short, goal: []step{{0, good}, {100, odd}},
			about:   "Jobs of all queues that are not finished and do not run.",
			queries: one("jobs", `sum(max by (queue) (iacontinu_queue_waiting_jobs{here}))`),
		},
		{
			kind: figure, title: "Oldest due job", unit: units.Seconds, goal: []step{{0, good}, {60, odd}, {600, bad}},
			about:   "How long the job that is due the longest has waited.",
			queries: one("waits", `max(iacontinu_queue_oldest_wait_seconds{here})`),
		},
		{
			kind: figure, title: "Deliveries owed", unit: units.Short, goal: []step{{0, good}, {100, odd}},
			about:   "What MLflow and Prefect are still to be told.",
			queries: one("deliveries", `sum(max by (service) (iacontinu_outbox_waiting{here})) or vector(0)`),
		},
		{
			kind: figure, title: "Rejected in a row", unit: units.Short, goal: []step{{0, good}, {3, odd}},
			about:   "Candidates since the last one that was let in.",
			queries: one("candidates", `max(iacontinu_retrain_rejected_in_a_row{here})`),
		},
	}
}

func pipelineChecks() []panel {
	return []panel{
		{
			title: "Checks by outcome", unit: units.Short, stacked: true,
			about:   "Checks in an interval by what was done in the end.",
			queries: one("{{outcome}}", `sum by (outcome) (increase(iacontinu_checks_total{here}[$interval])) > 0`),
			absent:  "no check",
		},
		{
			title: "Duration of a check", unit: units.Seconds, logarithmic: true,
			about:   "With the retraining that it waited for.",
			queries: quantiles("iacontinu_check_duration_seconds", "here"),
			absent:  "no check",
		},
		{
			title: "Late by Prefect's schedule", unit: units.Seconds, logarithmic: true,
			about:   "From when a run was due until it ran, where Prefect says when to check.",
			queries: quantiles("iacontinu_prefect_lateness_seconds", "here"),
			absent:  "Prefect does not schedule",
		},
	}
}

func pipelineJobs() []panel {
	return []panel{
		{
			title: "Jobs that wait", unit: units.Short, w: 6, stacked: true,
			about:   "Unfinished jobs that do not run, by queue.",
			queries: one("{{queue}}", `max by (queue) (iacontinu_queue_waiting_jobs{here})`),
		},
		{
			title: "Jobs that run", unit: units.Short, w: 6, stacked: true,
			about:   "Jobs at work, by queue.",
			queries: one("{{queue}}", `max by (queue) (iacontinu_queue_running_jobs{here})`),
		},
		{
			title: "Duration of a job, p95", unit: units.Seconds, w: 6, logarithmic: true,
			about:   "Of one attempt, by kind.",
			queries: one("{{kind}}", `histogram_quantile(0.95, sum by (le, kind) (rate(iacontinu_queue_job_duration_seconds_bucket{here}[$interval]))) >= 0`),
			absent:  "no job",
		},
		{
			title: "Failed attempts", unit: units.Short, w: 6,
			about: "Attempts in an interval that failed, and those of them that were the last; jobs put back because the process that ran them died.",
			queries: []query{
				{"failed", `sum(increase(iacontinu_queue_failures_total{here}[$interval])) or vector(0)`},
				{"for good", `sum(increase(iacontinu_queue_failures_total{here,final="true"}[$interval])) or vector(0)`},
				{"put back", `sum(increase(iacontinu_queue_rescued_jobs_total{here}[$interval]))`},
			},
		},
	}
}

func pipelineRetraining() []panel {
	return []panel{
		{
			title: "Steps", unit: units.Seconds, stacked: true,
			about:   "Mean duration of each step of a retraining.",
			queries: one("{{step}}", `sum by (step) (rate(iacontinu_retrain_step_duration_seconds_sum{here}[$interval])) / (sum by (step) (rate(iacontinu_retrain_step_duration_seconds_count{here}[$interval])) > 0)`),
			absent:  "no retraining",
		},
		{
			title: "Duration by verdict, p95", unit: units.Seconds, goal: below(30), logarithmic: true,
			about:   "Of a whole retraining. Objective: below 30 s.",
			queries: one("{{verdict}}", `histogram_quantile(0.95, sum by (le, verdict) (rate(iacontinu_retrain_duration_seconds_bucket{here}[$interval]))) >= 0`),
			absent:  "no retraining",
		},
		{
			title: "Time since the last", unit: units.Seconds,
			about:   "Time since the last retraining of each verdict.",
			queries: one("{{verdict}}", `time() - (max by (verdict) (iacontinu_retrain_last_timestamp_seconds{here}) > 0)`),
			absent:  "no retraining",
		},
	}
}

func pipelineDeliveries() []panel {
	const from = "histogram_quantile(0.95, sum by (le) (rate("
	return []panel{
		{
			title: "Owed", unit: units.Short, w: 6,
			about:   "Deliveries that wait, by service.",
			queries: one("{{service}}", `max by (service) (iacontinu_outbox_waiting{here})`),
			absent:  optional,
		},
		{
			title: "Oldest", unit: units.Seconds, w: 6,
			about:   "Age of the oldest delivery that waits, by service.",
			queries: one("{{service}}", `max by (service) (iacontinu_outbox_oldest_seconds{here})`),
			absent:  optional,
		},
		{
			title: "Tries", unit: units.Short, w: 6,
			about:   "Tries in an interval to tell a service what it is owed, by outcome.",
			queries: one("{{service}}, {{outcome}}", `sum by (service, outcome) (increase(iacontinu_outbox_deliveries_total{here}[$interval])) > 0`),
			absent:  optional,
		},
		{
			title: "Duration of a try, p95", unit: units.Seconds, w: 6, logarithmic: true,
			about:   "By service.",
			queries: one("{{service}}", `histogram_quantile(0.95, sum by (le, service) (rate(iacontinu_outbox_delivery_duration_seconds_bucket{here}[$interval]))) >= 0`),
			absent:  optional,
		},
		{
			title: "Calls", unit: units.RequestsPerSecond, w: 12,
			about: "Requests a second to each service by what became of them.",
			queries: []query{
				{"MLflow, {{outcome}}", `sum by (outcome) (rate(iacontinu_mlflow_requests_total{here}[$interval]))`},
				{"Prefect, {{outcome}}", `sum by (outcome) (rate(iacontinu_prefect_requests_total{here}[$interval]))`},
				{"Discord, {{outcome}}", `sum by (outcome) (rate(iacontinu_discord_messages_total{here}[$interval]))`},
			},
			absent: optional,
		},
		{
			title: "Duration of a call, p95", unit: units.Seconds, w: 12, logarithmic: true,
			about: "By service.",
			queries: []query{
				{"MLflow", from + `iacontinu_mlflow_request_duration_seconds_bucket{here}[$interval]))) >= 0`},
				{"Prefect", from + `iacontinu_prefect_request_duration_seconds_bucket{here}[$interval]))) >= 0`},
				{"Discord", from + `iacontinu_discord_request_duration_seconds_bucket{here}[$interval]))) >= 0`},
			},
			absent: optional,
		},
	}
}

func pipelineData() []panel {
	return []panel{
		{
			title: "Making a dataset", unit: units.Seconds,
			about:   "Mean time from the first row to a finished dataset, by source.",
			queries: one("{{source}}", `sum by (source) (rate(iacontinu_dataset_build_seconds_sum{here}[$interval])) / (sum by (source) (rate(iacontinu_dataset_build_seconds_count{here}[$interval])) > 0)`),
			absent:  "no dataset was made",
		},
		{
			title: "What went wrong", unit: units.Short,
			about: "In an interval: datasets that were not finished, rows that were left out, and column copies that had to be made again.",
			queries: []query{
				{"{{source}}, not finished", `sum by (source) (increase(iacontinu_dataset_failures_total{here}[$interval]))`},
				{"bad rows", `sum(increase(iacontinu_dataset_bad_rows_total{here}[$interval]))`},
				{"made again", `sum(increase(iacontinu_dataset_rewrites_total{here}[$interval]))`},
			},
		},
		{
			title: "Removed by the retention", unit: units.Short,
			about:   "In an interval, by what it was.",
			queries: one("{{what}}", `sum by (what) (increase(iacontinu_retention_removed_total{here}[$interval]))`),
			absent:  "nothing yet",
		},
	}
}
