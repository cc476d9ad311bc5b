package api

import "context"

// Explanation says how a prediction came about. The log odds of class 1 are the intercept and all
// contributions together; above 0 the answer is class 1.
type Explanation struct {
	Intercept     float64        `json:"intercept"`
	LogOdds       float64        `json:"log_odds" doc:"Of class 1"`
	Contributions []Contribution `json:"contributions" doc:"In the order of the model's features"`
}

// Contribution is what one feature adds to the log odds of class 1.
type Contribution struct {
	Feature      string   `json:"feature"`
	Value        float64  `json:"value"`
	Contribution float64  `json:"contribution" doc:"The coefficient times the value"`
	Min          *float64 `json:"min,omitempty" doc:"The smallest value of the reference window, drawn from the training rows; absent if there is none"`
	Max          *float64 `json:"max,omitempty"`
	OutOfRange   bool     `json:"out_of_range" doc:"The value is outside of what the window has: the model guesses"`
}

// ModelDetail is a version with all that is known of it.
type ModelDetail struct {
	Version
	Quality   *Quality       `json:"quality" doc:"On the holdout; null if it was not kept"`
	Intercept *float64       `json:"intercept" doc:"null if the artifact can't be read"`
	Details   []ModelFeature `json:"feature_details" doc:"In the order of features; empty if the artifact can't be read"`
	Fit       *Fit           `json:"fit,omitempty"`
	Training  *Training      `json:"training" doc:"null if no record of it is left"`
	Champion  string         `json:"champion,omitempty" doc:"The version that served when this one was judged"`
	MLflowURL string         `json:"mlflow_url,omitempty" doc:"The run in MLflow, if it is known and there is an address for people"`
	Problem   string         `json:"problem,omitempty" doc:"Why the artifact can't be read"`
}

// ModelFeature is a feature as a version knows it.
type ModelFeature struct {
	Name        string   `json:"name"`
	Coefficient float64  `json:"coefficient" doc:"Change of the log odds of class 1 for one more of the feature"`
	Min         *float64 `json:"min,omitempty" doc:"Of the reference window, drawn from the training rows; absent without one"`
	Max         *float64 `json:"max,omitempty"`
	Mean        *float64 `json:"mean,omitempty"`
	Scale       *float64 `json:"scale,omitempty" doc:"Standard deviation"`
}

// Fit is how a version was fitted.
type Fit struct {
	C              float64 `json:"c" doc:"Inverse strength of the L2 penalty"`
	Balanced       bool    `json:"balanced"`
	Seed           uint64  `json:"seed"`
	Solver         string  `json:"solver"`
	Iterations     int     `json:"iterations"`
	Converged      bool    `json:"converged"`
	Note           string  `json:"note,omitempty"`
	HoldoutSamples int     `json:"holdout_samples"`
}

// Quality is how well a version answers its holdout.
type Quality struct {
	N                int              `json:"n"`
	Accuracy         float64          `json:"accuracy"`
	AccuracyLow      float64          `json:"accuracy_low" doc:"95% Wilson interval"`
	AccuracyHigh     float64          `json:"accuracy_high"`
	MajorityAccuracy float64          `json:"majority_accuracy" doc:"Of always answering the more frequent class"`
	Precision        float64          `json:"precision"`
	Recall           float64          `json:"recall"`
	F1               float64          `json:"f1"`
	LogLoss          float64          `json:"log_loss"`
	Brier            float64          `json:"brier"`
	ROCAUC           *float64         `json:"roc_auc"`
	ROC              *ROC             `json:"roc_curve" doc:"null for a version of before there were curves"`
	Confusion        [2][2]int        `json:"confusion" doc:"Rows by true and by predicted class"`
	Calibration      []CalibrationBin `json:"calibration"`
}

// ROC is the receiver operating characteristic, from (0, 0) to (1, 1).
type ROC struct {
	FPR []float64 `json:"fpr"`
	TPR []float64 `json:"tpr"`
}

// CalibrationBin sets the probabilities in it against what came true.
type CalibrationBin struct {
	Low              float64 `json:"low"`
	High             float64 `json:"high"`
	MeanPredicted    float64 `json:"mean_predicted"`
	FractionPositive float64 `json:"fraction_positive"`
	Count            int     `json:"count"`
}

// Model is a version with all that is known of it.
func (c *Client) Model(ctx context.Context, version string) (ModelDetail, error) {
	return get[ModelDetail](ctx, c, ModelPath(version), nil)
}

// PredictExplained classifies one row of features by name and says how that came about.
func (c *Client) PredictExplained(ctx context.Context, features map[string]float64) (PredictResponse, error) {
	return post[PredictResponse](ctx, c, PathPredict, PredictRequest{Features: features, Explain: true})
}
