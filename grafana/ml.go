package grafana

import "github.com/grafana/grafana-foundation-sdk/go/units"

func mlMetrics() board {
	return board{
		slug: "ml-metrics", title: "ML Metrics", versions: true,
		about: "The model that serves: accuracy over 0.90, confidence over 0.80, trained within 30 s; what it answers and how it came to serve.",
		shows: []event{alerts, swaps, retrains},
		rows: []row{
			{"The version that serves", servingModel()},
			{"Quality", modelQuality()},
			{"Predictions", modelPredictions()},
			{"Retraining", modelRetraining()},
		},
	}
}

// meanConfidence is that of the predictions within a time.
func meanConfidence(within string) string {
	return `sum(rate(iacontinu_prediction_confidence_sum{here}[` + within + `])) / (sum(rate(iacontinu_prediction_confidence_count{here}[` + within + `])) > 0)`
}

func servingModel() []panel {
	return []panel{
		{
			kind: named, title: "Version", unit: units.Short, w: 6,
			about:   "The version that serves. Two stand here for the moment in which instances swap.",
			queries: one("{{model_version}}", `max by (model_version) (ml_model_accuracy{here})`),
			absent:  "no model",
		},
		{
			kind: figure, title: "Accuracy", unit: units.PercentUnit, decimals: 2, goal: atLeast(0.9), w: 3,
			about:   "Of the holdout. Objective: over 90 %.",
			queries: one("accuracy", `max(ml_model_accuracy{here})`),
			absent:  "no model",
		},
		{
			kind: figure, title: "Confidence", unit: units.PercentUnit, decimals: 1, goal: atLeast(0.8), w: 3,
			about:   "Mean probability of the answered class over the shown time. Objective: over 80 %.",
			queries: one("confidence", meanConfidence("$__range")),
			absent:  "no predictions",
		},
		{
			kind: figure, title: "Age", unit: units.Seconds, w: 3,
			about:   "Time since the version that serves was trained.",
			queries: one("age", `time() - max(iacontinu_model_created_timestamp_seconds{here})`),
			absent:  "no model",
		},
		{
			kind: figure, title: "Trained on", unit: units.Short, w: 3,
			about:   "Rows that the version that serves was trained on.",
			queries: one("rows", `max(iacontinu_model_training_rows{here})`),
			absent:  "no model",
		},
		{
			kind: figure, title: "Training", unit: units.Seconds, goal: below(30), w: 3,
			about:   "Mean duration of a retraining in the shown time. Objective: below 30 s.",
			queries: one("mean", `sum(increase(ml_training_duration_seconds_sum{here}[$__range])) / (sum(increase(ml_training_duration_seconds_count{here}[$__range])) > 0)`),
			absent:  "none",
		},
		{
			kind: figure, title: "Instances that serve", unit: units.Short, goal: atLeast(1), w: 3,
			about:   "API processes that have a model loaded.",
			queries: one("processes", `sum(iacontinu_model_loaded{here})`),
		},
	}
}

func modelQuality() []panel {
	return []panel{
		{
			title: "Accuracy", unit: units.PercentUnit, top: 1, goal: atLeast(0.9), w: 12,
			about: "Accuracy of the version that serves on its holdout, and the interval that holds it with a probability of 95 %.",
			queries: []query{
				{"{{model_version}}", `max by (model_version) (ml_model_accuracy{here,version})`},
				{"{{bound}} end of the interval", `max by (bound) (iacontinu_model_accuracy_interval{here})`},
			},
			absent: "no model",
		},
		{
			title: "Trend of the accuracy: how sure", unit: units.PercentUnit, w: 6,
			about:   "Share of the accuracy's changes over the last versions that a straight line explains: below a half, the trend says little.",
			queries: one("explained", `max(iacontinu_forecast_r2{here,series="accuracy"})`),
			absent:  "too few versions for a trend",
		},
		{
			title: "Trend of the accuracy: change a version", unit: units.Number, w: 6,
			about:   "Slope of that line: by how much the accuracy changes from one version to the next.",
			queries: one("slope", `max(iacontinu_forecast_slope{here,series="accuracy"})`),
			absent:  "too few versions for a trend",
		},
	}
}

func modelPredictions() []panel {
	return []panel{
		{
			title: "Predictions by version", unit: units.OpsPerSecond, stacked: true,
			about:   "Predictions a second; a swap shows as one version taking over from another.",
			queries: one("{{model_version}}", `sum by (model_version) (rate(ml_predictions_total{here,version}[$interval]))`),
		},
		{
			title: "Share of class 1", unit: units.PercentUnit, top: 1,
			about:   "Share of the predictions that say 1. It moves with the inputs before any label tells why.",
			queries: one("class 1", `sum(rate(iacontinu_predictions_by_class_total{here,class="1"}[$interval])) / (sum(rate(iacontinu_predictions_by_class_total{here}[$interval])) > 0)`),
			absent:  "no predictions",
		},
		{
			title: "Mean confidence", unit: units.PercentUnit, top: 1, goal: atLeast(0.8),
			about:   "Mean probability of the answered class, from 50 % on. Objective: over 80 %.",
			queries: one("confidence", meanConfidence("$interval")),
			absent:  "no predictions",
		},
		{
			kind: heat, title: "Confidence", unit: units.PercentUnit, w: 16,
			about:   "How many predictions had which probability of the answered class.",
			queries: one("{{le}}", `sum by (le) (increase(iacontinu_prediction_confidence_bucket{here}[$interval]))`),
		},
		{
			title: "By class", unit: units.OpsPerSecond, stacked: true,
			about:   "Predictions a second by what they say.",
			queries: one("class {{class}}", `sum by (class) (rate(iacontinu_predictions_by_class_total{here}[$interval]))`),
		},
	}
}

func modelRetraining() []panel {
	return []panel{
		{
			title: "By verdict", unit: units.Short, stacked: true,
			about:   "Retrainings in an interval by how they ended.",
			queries: one("{{verdict}}", `sum by (verdict) (increase(iacontinu_retrain_duration_seconds_count{here}[$interval]))`),
			absent:  "no retraining",
		},
		{
			title: "By reason", unit: units.Short, stacked: true,
			about:   "Retrainings in an interval by what asked for them.",
			queries: one("{{trigger_reason}}", `sum by (trigger_reason) (increase(ml_retrains_total{here}[$interval]))`),
			absent:  "no retraining",
		},
		{
			title: "Duration", unit: units.Seconds, goal: below(30), logarithmic: true,
			about:   "From the rows to the verdict. Objective: below 30 s.",
			queries: quantiles("ml_training_duration_seconds", "here"),
			absent:  "no retraining",
		},
		{
			title: "Swaps", unit: units.Short, w: 12,
			about: "Times in an interval that an API process began to serve another version, or could not and stayed with the old one.",
			queries: []query{
				{"swapped", `sum(increase(iacontinu_model_swaps_total{here}[$interval]))`},
				{"failed", `sum(increase(iacontinu_model_swap_failures_total{here}[$interval]))`},
			},
		},
		{
			title: "Candidates rejected in a row", unit: units.Short, w: 12, goal: []step{{0, good}, {3, odd}},
			about:   "Since the last one that was let in. Many in a row say that the data have run away from what the model can learn.",
			queries: one("rejected", `max(iacontinu_retrain_rejected_in_a_row{here})`),
		},
	}
}
