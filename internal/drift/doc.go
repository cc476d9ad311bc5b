// Package drift scores how far a window of values has moved from a reference window, one feature
// at a time: the two-sample Kolmogorov-Smirnov test and the population stability index. Holm's
// procedure corrects the p-values of several features tested together.
//
// A [Reference] is built once from the reference window and scores any number of windows. All
// values must be finite; a window must not be empty. The results agree with SciPy's ks_2samp and
// with Evidently's PSI, whose numbers lie in testdata with the script that made them.
package drift
