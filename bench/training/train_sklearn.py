"""Fits scikit-learn's LogisticRegression on request, for bench/training/main.go.

    python train_sklearn.py FILE ROWS COLUMNS

FILE holds ROWS x COLUMNS float64 in row order, which scikit-learn fits faster than columns, and
then ROWS labels of one byte. Each line of standard input is a solver and a number of BLAS threads;
each line of the answer is the time of fit alone and what it found.
"""

import json
import sys
import time
import warnings

import numpy as np
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits


def main():
    path, n, k = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    with open(path, "rb") as f:
        x = np.fromfile(f, np.float64, n * k).reshape(n, k)
        y = np.fromfile(f, np.uint8, n)
    for line in sys.stdin:
        solver, threads = line.split()
        model = LogisticRegression(C=1.0, tol=1e-8, solver=solver, max_iter=10_000)
        with threadpool_limits(int(threads)), warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            start = time.perf_counter()
            model.fit(x, y)
            seconds = time.perf_counter() - start
        print(json.dumps(dict(
            seconds=seconds, iterations=int(model.n_iter_[0]), coef=model.coef_[0].tolist(),
            intercept=float(model.intercept_[0]), warnings=[str(w.message) for w in warned],
        )), flush=True)


main()
