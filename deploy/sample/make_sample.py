"""Writes breast_cancer.csv, the sample data set, from the copy that scikit-learn ships.

    pip install scikit-learn==1.9.1
    python make_sample.py
"""

import csv
import pathlib

from sklearn.datasets import load_breast_cancer

FEATURES = 10  # the means; the other twenty are standard errors and extremes of the same ten


def main() -> None:
    data = load_breast_cancer()
    names = [name.replace(" ", "_") for name in data.feature_names[:FEATURES]]
    path = pathlib.Path(__file__).with_name("breast_cancer.csv")
    with path.open("w", newline="", encoding="utf-8") as f:
        out = csv.writer(f, lineterminator="\n")
        out.writerow([*names, "diagnosis"])
        for row, target in zip(data.data, data.target):
            out.writerow([*(float(x) for x in row[:FEATURES]), data.target_names[target]])


if __name__ == "__main__":
    main()
