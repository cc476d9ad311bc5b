package grafana

import "github.com/grafana/grafana-foundation-sdk/go/units"

// tooFew is what stands where no score is.
const tooFew = "not scored: too few predictions since the activation"

func driftBoard() board {
	return board{
		slug: "drift", title: "Drift", features: true,
		about: "The latest predictions against the window pinned to the active version: scores, thresholds and verdict of each feature.",
		shows: []event{alerts, drifts, swaps},
		rows: []row{
			{"The last check", lastCheck()},
			{"Scores against their thresholds", driftScores()},
			{"Where it tends to", driftTrends()},
		},
	}
}

func lastCheck() []panel {
	return []panel{
		{
			kind: figure, title: "Features that drift", unit: units.Short, goal: []step{{0, good}, {1, odd}},
			about:   "Features that the last check found changed.",
			queries: one("features", `sum(max by (feature) (iacontinu_drift_verdict{here}))`),
			absent:  "not scored",
		},
		{
			kind: figure, title: "Time since", unit: units.Seconds,
			about:   "Time since the last check.",
			queries: one("since", `time() - (max(iacontinu_check_last_timestamp_seconds{here}) > 0)`),
			absent:  "no check yet",
		},
		{
			kind: named, title: "Detector", unit: units.Short,
			about:   "What decides: random draws a number, as documented; statistical measures. Scores are taken either way.",
			queries: one("{{detector}}", `max by (detector) (iacontinu_check_detector{here}) == 1`),
		},
		{
			kind: figure, title: "Times drift was found", unit: units.Short,
			about:   "Checks in the shown time that called it drift.",
			queries: one("found", `round(sum(increase(model_drift_detected_total{here}[$__range])))`),
		},
		{
			kind: figure, title: "Checks that found drift", unit: units.PercentUnit, decimals: 1,
			about:   "Share of the checks in the shown time that called it drift.",
			queries: one("share", `clamp_max(sum(increase(model_drift_detected_total{here}[$__range])) / (sum(increase(iacontinu_check_duration_seconds_count{here}[$__range])) > 0), 1)`),
			absent:  "no check",
		},
		{
			kind: figure, title: "To a better model", unit: units.Seconds,
			about:   "From the latest check that found drift to the activation that it led to.",
			queries: one("time", `max(iacontinu_business_drift_to_better_model_seconds{here})`),
			absent:  "none yet",
		},
	}
}

// score is what a statistic says of each feature, and where drift begins.
func score(statistic string) []query {
	return []query{
		{"{{feature}}", `max by (feature) (iacontinu_drift_score{here,feature,statistic="` + statistic + `"})`},
		{"threshold", `max(iacontinu_drift_threshold{here,statistic="` + statistic + `"})`},
	}
}

func driftScores() []panel {
	return []panel{
		{
			title: "p-value", unit: units.Number, logarithmic: true,
			about:   "Probability of so large a distance if nothing had changed (Kolmogorov-Smirnov), corrected for the number of features. Drift lies below the threshold.",
			queries: score("ks_p_value"), absent: tooFew,
		},
		{
			title: "Distance", unit: units.Number, top: 1,
			about:   "Largest distance between the distribution functions (Kolmogorov-Smirnov), 0 to 1.",
			queries: score("ks"), absent: tooFew,
		},
		{
			title: "Stability index", unit: units.Number,
			about:   "Population stability index. Drift lies above the threshold.",
			queries: score("psi"), absent: tooFew,
		},
		{
			kind: timeline, title: "Verdict by feature", unit: units.Short, w: 16,
			about:   "What each check found of each feature.",
			queries: one("{{feature}}", `max by (feature) (iacontinu_drift_verdict{here,feature})`),
			states:  []state{{"0", "no drift", good}, {"1", "drift", odd}},
			goal:    []step{{0, good}, {1, odd}}, absent: tooFew,
		},
		{
			title: "Drift found", unit: units.Short,
			about:   "Checks in an interval that called it drift.",
			queries: one("drift", `sum(increase(model_drift_detected_total{here}[$interval]))`),
		},
	}
}

func driftTrends() []panel {
	return []panel{
		{
			title: "Change a check", unit: units.Number,
			about:   "Slope of each feature's distance over the last checks.",
			queries: one("{{feature}}", `max by (feature) (iacontinu_forecast_slope{here,feature,series="drift"})`),
			absent:  "too few scored checks for a trend",
		},
		{
			title: "How sure", unit: units.PercentUnit, top: 1,
			about:   "Share of the changes that the trend explains.",
			queries: one("{{feature}}", `max by (feature) (iacontinu_forecast_r2{here,feature,series="drift"})`),
			absent:  "too few scored checks for a trend",
		},
		{
			title: "Steps to the limit", unit: units.Short,
			about: "Checks until a feature's distance is at its limit, and versions until the accuracy is at its floor, if it goes on like this.",
			queries: []query{
				{"{{feature}}, checks", `max by (feature) (iacontinu_forecast_steps_to_limit{here,feature,series="drift"})`},
				{"accuracy, versions", `max(iacontinu_forecast_steps_to_limit{here,series="accuracy"})`},
			},
			absent: "nothing tends to its limit",
		},
	}
}
