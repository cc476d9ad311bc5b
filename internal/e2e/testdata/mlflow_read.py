"""What MLflow's own client finds on a server, as JSON: mlflow_read.py TRACKING_URI EXPERIMENT MODEL [ROWS_JSON]

ROWS_JSON is a file {"columns": [...], "rows": [[...]]}: the champion, loaded by pyfunc, predicts them.
"""

import json
import os
import sys

os.environ.setdefault("DO_NOT_TRACK", "true")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException


def files(client, run_id, path=""):
    for f in client.list_artifacts(run_id, path):
        if f.is_dir:
            yield from files(client, run_id, f.path)
        else:
            yield f.path


def read_run(client, run):
    return {
        "name": run.info.run_name,
        "status": run.info.status,
        "start": run.info.start_time,
        "end": run.info.end_time,
        "params": run.data.params,
        "metrics": run.data.metrics,
        "tags": run.data.tags,
        "datasets": [{"name": i.dataset.name, "digest": i.dataset.digest, "contexts": [t.value for t in i.tags]}
                     for i in run.inputs.dataset_inputs],
        "files": sorted(files(client, run.info.run_id)),
        "models": [str(mlflow.get_logged_model(m.model_id).status) for m in (run.outputs.model_outputs if run.outputs else [])],
    }


def read_versions(client, model):
    versions = client.search_model_versions(f"name='{model}'")
    return [{"number": int(v.version), "name": v.tags.get("iacontinu.version", ""), "status": v.status, "description": v.description or ""}
            for v in sorted(versions, key=lambda v: int(v.version))]


def read_aliases(client, model):
    try:
        aliases = client.get_registered_model(model).aliases
    except MlflowException as e:
        if e.error_code == "RESOURCE_DOES_NOT_EXIST":
            return {}
        raise
    return {a: client.get_model_version(model, n).tags["iacontinu.version"] for a, n in aliases.items()}


def predict(model, path):
    import pandas as pd

    with open(path, encoding="utf-8") as f:
        given = json.load(f)
    answer = mlflow.pyfunc.load_model(f"models:/{model}@champion").predict(pd.DataFrame(given["rows"], columns=given["columns"]))
    return {"label": [int(v) for v in answer["label"]], "probability": [float(v) for v in answer["probability"]]}


def main(uri, experiment, model, rows=None):
    mlflow.set_tracking_uri(uri)
    client = MlflowClient()
    found = client.get_experiment_by_name(experiment)
    runs = client.search_runs([found.experiment_id], max_results=1000, order_by=["attributes.start_time ASC"]) if found else []
    out = {
        "runs": [read_run(client, r) for r in runs],
        "versions": read_versions(client, model),
        "aliases": read_aliases(client, model),
    }
    if rows:
        out["champion"] = predict(model, rows)
    json.dump(out, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
