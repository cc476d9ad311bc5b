"""Seconds and requests of one tracked retraining by MLflow's own client: sklearn_log_model.py TRACKING_URI

What internal/mlflow tells a server of a retraining, told by mlflow.sklearn.log_model and its companions: a run
with parameters, metrics, a dataset, four pictures and a JSON file, the model with signature and input example,
the registered version with tags, two aliases. Go's side of the comparison is printed by

    go test ./internal/mlflow -run TestScenarioOnServer -v -server TRACKING_URI

Needs mlflow, scikit-learn, pandas and matplotlib.
"""

import os
import sys
import time

os.environ.setdefault("DO_NOT_TRACK", "true")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import mlflow
import mlflow.sklearn
import numpy as np
import pandas as pd
import requests
from mlflow.models import infer_signature
from sklearn.calibration import CalibrationDisplay
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import ConfusionMatrixDisplay, RocCurveDisplay

MODEL = "sklearn_logistic_regression"
sent = 0
send = requests.Session.send


def count(*args, **kwargs):
    global sent
    sent += 1
    return send(*args, **kwargs)


requests.Session.send = count


def pictures(x, y, model):
    label, p = model.predict(x), model.predict_proba(x)[:, 1]
    for name, draw in {
        "confusion": lambda: ConfusionMatrixDisplay.from_predictions(y, label),
        "roc": lambda: RocCurveDisplay.from_predictions(y, p),
        "calibration": lambda: CalibrationDisplay.from_predictions(y, p),
        "coefficients": lambda: plt.barh(list(x.columns), model.coef_[0]),
    }.items():
        plt.figure(figsize=(4, 3), dpi=96)
        draw()
        mlflow.log_figure(plt.gcf(), f"plots/{name}.png")
        plt.close("all")


def track(x, y, model):
    client = mlflow.MlflowClient()
    with mlflow.start_run(run_name="bench", tags={"trigger": "bench"}):
        mlflow.log_params({f"param{i}": i for i in range(14)})
        mlflow.log_metrics({f"metric{i}": float(i) for i in range(25)})
        mlflow.log_input(mlflow.data.from_pandas(x.assign(target=y), targets="target", name="dataset-1"), context="training")
        mlflow.log_dict({"accuracy": 0.81}, "metrics.json")
        pictures(x, y, model)
        start = time.perf_counter()
        info = mlflow.sklearn.log_model(
            model, name="logistic_regression", signature=infer_signature(x, model.predict(x)), input_example=x.head(2),
            registered_model_name=MODEL)
        alone = time.perf_counter() - start
    version = str(info.registered_model_version)
    client.set_model_version_tag(MODEL, version, "verdict", "activated")
    for alias in ("champion", "previous"):
        client.set_registered_model_alias(MODEL, alias, version)
    return alone


def main(uri):
    global sent
    mlflow.set_tracking_uri(uri)
    mlflow.set_experiment("sklearn_log_model")
    random = np.random.default_rng(1)
    x = pd.DataFrame(random.normal(size=(1000, 2)), columns=["feature 1", "feature 2"])
    y = (x["feature 1"] - x["feature 2"] + random.normal(size=1000) > 0).astype(int)
    model = LogisticRegression().fit(x, y)
    for n in range(4):
        sent, start = 0, time.perf_counter()
        alone = track(x, y, model)
        print(f"{'first' if n == 0 else 'again'}: {sent} requests, {time.perf_counter() - start:.2f} s, "
              f"of which sklearn.log_model {alone:.2f} s")


if __name__ == "__main__":
    main(*sys.argv[1:])
