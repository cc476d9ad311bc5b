"""Makes the data and the figures that the tests of package logreg are held to.

    python -m venv venv && venv/bin/pip install scikit-learn==1.9.1 numpy==2.4.6 river==0.26.1
    venv/bin/python make_reference.py

Writes <data>.csv.gz and reference.json beside itself. Each case is fitted by scikit-learn at a
tolerance far below what the tests ask for, and the script checks in extended precision that the
step from there to the true optimum is below 1e-9 of each coefficient's size.

Sources: generated.csv.gz is drawn here; breast_cancer is scikit-learn's load_breast_cancer
(Wolberg, Street and Mangasarian, UCI, CC BY 4.0); phishing (Abdelhamid, UCI, CC BY 4.0) and banana
(KEEL/OpenML) are River's datasets of the same names.
"""

import csv
import gzip
import io
import json
import pathlib
import warnings

import numpy as np
import river
import river.datasets
import sklearn
from sklearn.calibration import calibration_curve
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    accuracy_score, brier_score_loss, confusion_matrix, f1_score, log_loss,
    precision_score, recall_score, roc_auc_score,
)

HERE = pathlib.Path(__file__).parent
warnings.simplefilter("error")


def generated():
    rng = np.random.default_rng(20240501)
    f = rng.standard_normal((3000, 2))
    noise = 0.2 * rng.logistic(size=3000)
    y = (0.5 * f[:, 0] + 0.3 * f[:, 1] + noise > 0.35).astype(int)
    w = np.round(rng.exponential(size=3000), 4)
    w[:50] = 0
    return ["feature1", "feature2"], f, y, w


def from_river(dataset):
    rows = [(x, int(y)) for x, y in dataset]
    names = list(rows[0][0])
    return names, np.array([[float(x[n]) for n in names] for x, _ in rows]), np.array([y for _, y in rows])


def weights(n):
    return np.round(np.random.default_rng(n).uniform(0.1, 4, size=n), 3)


def breast_cancer():
    d = load_breast_cancer()
    return list(d.feature_names), d.data, d.target


def load():
    data = {"generated": generated()}
    for name, (columns, x, y) in {
        "breast_cancer": breast_cancer(),
        "banana": from_river(river.datasets.Bananas()),
        "phishing": from_river(river.datasets.Phishing()),
    }.items():
        data[name] = (columns, x, y, weights(len(y)))
    return data


def save(name, columns, x, y, w):
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow([*columns, "weight", "target"])
    for row, weight, label in zip(x, w, y):
        out.writerow([*(repr(float(v)) for v in row), repr(float(weight)), int(label)])
    # No time and no name in the header: the same bytes each time.
    with open(HERE / f"{name}.csv.gz", "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as f:
        f.write(text.getvalue().encode())


def newton_step(x, y, w, C, coef, intercept):
    """The gradient in extended precision, turned into the step that is left to the optimum."""
    z = x.astype(np.longdouble)
    eta = z @ coef.astype(np.longdouble) + np.longdouble(intercept)
    p = 1 / (1 + np.exp(-eta))
    g = np.append(C * (z.T @ (w * (p - y))) + coef, C * np.sum(w * (p - y)))
    scale = np.append(x.std(axis=0), 1)
    a = np.column_stack([x, np.ones(len(x))]) / scale
    h = C * (a.T * (w * p * (1 - p)).astype(float)) @ a + np.diag(np.append(1 / scale[:-1] ** 2, 0))
    return np.linalg.solve(h, (g / scale).astype(float)) / scale


def fit(x, y, sample_weight, C, balanced):
    options = dict(C=C, class_weight="balanced" if balanced else None, max_iter=100_000)
    best = None
    for solver, tol in (("newton-cholesky", 1e-12), ("lbfgs", 1e-12), ("newton-cg", 1e-12)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the check below says whether it is good enough
            m = LogisticRegression(solver=solver, tol=tol, **options).fit(x, y, sample_weight)
        coef, intercept = m.coef_[0], m.intercept_[0]
        w = np.ones(len(y)) if sample_weight is None else sample_weight.copy()
        if balanced:
            total = w.sum()
            for label in (0, 1):
                w[y == label] *= total / (2 * w[y == label].sum())
        step = newton_step(x, y, w, C, coef, intercept)
        error = np.max(np.abs(step) / np.abs(np.append(coef, intercept)))
        if best is None or error < best[0]:
            best = (error, m, solver, w)
    error, m, solver, w = best
    print(f"  {solver}: relative error of the reference {error:.1e}")
    assert error < 1e-9, "scikit-learn did not come near enough to the optimum"
    eta = x @ m.coef_[0] + m.intercept_[0]
    loss = np.logaddexp(0, np.where(y == 1, -eta, eta))
    objective = C * np.sum(w * loss) + 0.5 * np.sum(m.coef_ ** 2)
    return m, solver, float(objective)


def metrics(m, x, y, w):
    p = m.predict_proba(x)[:, 1]
    label = (p > 0.5).astype(int)
    by = dict(sample_weight=w)
    out = dict(
        accuracy=accuracy_score(y, label, **by), precision=precision_score(y, label, **by),
        recall=recall_score(y, label, **by), f1=f1_score(y, label, **by),
        log_loss=log_loss(y, p, **by), brier=brier_score_loss(y, p, **by),
        roc_auc=roc_auc_score(y, p, **by), confusion=confusion_matrix(y, label).tolist(),
        # Rounded probabilities have ties, within a class and across.
        roc_auc_of_rounded=roc_auc_score(y, np.round(p, 2), **by),
    )
    fraction, mean = calibration_curve(y, p, n_bins=10)  # knows no weights, leaves out empty bins
    out["calibration"] = [[float(a), float(b)] for a, b in zip(mean, fraction)]
    return {k: float(v) if isinstance(v, np.floating) else v for k, v in out.items()}


def main():
    cases = []
    for name, (columns, x, y, w) in load().items():
        print(name, x.shape, "share of class 1", y.mean())
        save(name, columns, x, y, w)
        for C, weighted, balanced in ((1, False, False), (1, True, False), (1, False, True), (1, True, True),
                                      (0.01, False, False), (100, True, False)):
            m, solver, objective = fit(x, y, w if weighted else None, C, balanced)
            cases.append(dict(
                data=name, c=C, weighted=weighted, balanced=balanced, solver=solver, objective=objective,
                coef=m.coef_[0].tolist(), intercept=float(m.intercept_[0]),
                metrics=metrics(m, x, y, w if weighted else None),
            ))
    versions = dict(scikit_learn=sklearn.__version__, numpy=np.__version__, river=river.__version__)
    (HERE / "reference.json").write_text(json.dumps(dict(versions=versions, cases=cases), indent=1) + "\n")


if __name__ == "__main__":
    main()
