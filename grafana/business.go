package grafana

import "github.com/grafana/grafana-foundation-sdk/go/units"

// Business figures come from the database and are the same in every API process: the maximum is taken.
func businessKPIs() board {
	return board{
		slug: "business-kpis", title: "Business KPIs", from: "now-7d",
		about: "What the platform is used for, and how fast it finds a better model.",
		shows: []event{swaps},
		rows: []row{
			{"The last 24 hours", businessDay()},
			{"Use", businessUse()},
			{"Data", businessData()},
		},
	}
}

func businessDay() []panel {
	return []panel{
		{
			kind: figure, title: "Predictions", unit: units.Short,
			about:   "Predictions of the last 24 hours.",
			queries: one("predictions", `max(iacontinu_business_predictions_day{here})`),
		},
		{
			kind: figure, title: "Active users", unit: units.Short,
			about:   "Accounts that predicted or logged in within the last 24 hours.",
			queries: one("users", `max(iacontinu_business_active_users_day{here})`),
		},
		{
			kind: figure, title: "Retrainings", unit: units.Short,
			about:   "Retrainings that came to a verdict in the last 24 hours.",
			queries: one("retrainings", `sum(max by (verdict) (iacontinu_business_retrains_day{here})) or vector(0)`),
		},
		{
			kind: figure, title: "From drift to a better model", unit: units.Seconds,
			about:   "From the latest check that found drift to the activation that it led to.",
			queries: one("time", `max(iacontinu_business_drift_to_better_model_seconds{here})`),
			absent:  "no drift led to a model yet",
		},
		{
			kind: figure, title: "Availability", unit: units.PercentUnit, decimals: 3, goal: atLeast(0.999),
			about: "Share of requests in the shown time that did not end in a server error. Objective: 99.9 %.",
			queries: one("available", `1 - (sum(increase(api_requests_total{here,endpoint!="/metrics",status_code=~"5.."}[$__range])) or vector(0))`+
				` / sum(increase(api_requests_total{here,endpoint!="/metrics"}[$__range]))`),
		},
		{
			kind: figure, title: "Accuracy", unit: units.PercentUnit, decimals: 2, goal: atLeast(0.9),
			about:   "Holdout accuracy of the model that serves. Objective: over 90 %.",
			queries: one("accuracy", `max(ml_model_accuracy{here})`),
			absent:  "no model",
		},
	}
}

func businessUse() []panel {
	return []panel{
		{
			title: "Predictions a day", unit: units.Short,
			about:   "Predictions of the 24 hours before.",
			queries: one("predictions", `max(iacontinu_business_predictions_day{here})`),
		},
		{
			title: "Active users", unit: units.Short,
			about:   "Accounts that predicted or logged in within the 24 hours before.",
			queries: one("users", `max(iacontinu_business_active_users_day{here})`),
		},
		{
			title: "Retrainings a day", unit: units.Short, stacked: true,
			about:   "Retrainings of the 24 hours before by verdict.",
			queries: one("{{verdict}}", `max by (verdict) (iacontinu_business_retrains_day{here})`),
			absent:  "no retraining",
		},
		{
			title: "From drift to a better model", unit: units.Seconds,
			about:   "From a check that found drift to the activation that it led to; the latest.",
			queries: one("time", `max(iacontinu_business_drift_to_better_model_seconds{here})`),
			absent:  "no drift led to a model yet",
		},
		{
			title: "Users", unit: units.Short, stacked: true,
			about:   "Accounts by role.",
			queries: one("{{role}}", `max by (role) (iacontinu_business_users{here})`),
		},
		{
			title: "Messages", unit: units.Short,
			about:   "News in an interval by subject and what became of them; only changes of state are sent.",
			queries: one("{{topic}}, {{outcome}}", `sum by (topic, outcome) (increase(iacontinu_notifications_total{here}[$interval]))`),
			absent:  "no news",
		},
	}
}

func businessData() []panel {
	return []panel{
		{
			title: "Datasets", unit: units.Short, w: 6, stacked: true,
			about:   "Datasets that are kept, by where they come from.",
			queries: one("{{source}}", `max by (source) (iacontinu_datasets{here})`),
		},
		{
			title: "Rows", unit: units.Short, w: 6,
			about:   "Rows of the latest dataset of each source.",
			queries: one("{{source}}", `max by (source) (iacontinu_dataset_rows{here})`),
		},
		{
			title: "Balance", unit: units.PercentUnit, top: 1, w: 6,
			about:   "Share of class 1 in the latest dataset of each source.",
			queries: one("{{source}}", `max by (source) (iacontinu_dataset_class_rows{here,class="1"}) / (sum by (source) (max by (source, class) (iacontinu_dataset_class_rows{here})) > 0)`),
		},
		{
			title: "Generated", unit: units.RowsPerSecond, w: 6,
			about:   "Rows generated a second.",
			queries: one("rows", `sum(rate(dataset_samples_generated_total{here}[$interval]))`),
		},
	}
}
