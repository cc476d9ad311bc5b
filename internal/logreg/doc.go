// Package logreg fits L2-penalised logistic regression for two classes, judges it on held-out rows
// and keeps it on disk.
//
// Fit minimises
//
//	C · Σᵢ wᵢ·logloss(yᵢ, σ(b + xᵢ·β)) + ½·‖β‖²
//
// over the coefficients β and the intercept b, which carries no penalty. This is the objective of
// scikit-learn's LogisticRegression(C=C) on the same raw columns, so both have the same optimum,
// with sample weights and with class_weight="balanced" too. Standardised columns are used for
// conditioning only: the penalty is carried over to them and the answer is folded back.
//
// Matrices are columns: x[j][i] is feature j of row i, so that a column read from a file is used as
// it lies in memory and is never copied. Sums are taken over a partition of the rows that depends
// on the data alone and are added in its order: the answer is the same to the last bit, however
// many goroutines work on it.
package logreg
