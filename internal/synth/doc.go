// Package synth draws the data that the platform generates by itself: two standard normal
// features and a label that a straight line through the plane decides.
//
//	f1, f2 ~ N(0, 1)         independent; in an odd hour (UTC) f1 is moved by -0.5
//	target = 1 if 0.5*f1 + 0.3*f2 > 0, else 0
//
// The label is a function of the features, without noise, so the two classes are linearly
// separable by construction: a fit without a penalty has no finite optimum.
//
// A [Spec] may ask for one kind of drift instead of following the hour. The kinds are those of
// Moreno-Torres et al., "A unifying view on dataset shift in classification", Pattern Recognition
// 45 (2012): [Covariate] moves P(x) and keeps P(y|x), [Concept] moves P(y|x) and keeps P(x),
// [Label] (prior probability shift) moves P(y) and keeps P(x|y).
package synth
