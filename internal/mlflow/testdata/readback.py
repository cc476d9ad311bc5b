"""Read back by MLflow's own client what a server was told: readback.py TRACKING_URI EXPECTED_JSON

Exits with an error that says what is missing or different. Needs mlflow, onnx and onnxruntime.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

os.environ.setdefault("DO_NOT_TRACK", "true")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

import mlflow
import numpy as np
import onnx
import onnxruntime
import pandas as pd
from mlflow import MlflowClient

TOLERANCE = 1e-12


def same(what, got, want):
    assert got == want, f"{what}: got {got!r}, want {want!r}"


def subset(what, got, want):
    for key, value in want.items():
        same(f"{what} {key}", got.get(key), value)


def check_run(client, run, want):
    what = want["name"]
    same(f"{what} status", run.info.status, want["status"])
    same(f"{what} start", run.info.start_time, want["start"])
    same(f"{what} end", run.info.end_time, want["end"])
    subset(what, run.data.tags, want["tags"])
    subset(what, run.data.params, want["params"])
    subset(what, run.data.metrics, want["metrics"])
    if want["odd"]:
        odd = {key: run.data.metrics[f"odd_{key}"] for key in ("nan", "up", "down")}
        assert np.isnan(odd["nan"]), f"{what}: a NaN became {odd['nan']}"
        # MLflow's database keeps infinities as the largest numbers.
        assert odd["up"] >= sys.float_info.max and odd["down"] <= -sys.float_info.max, f"{what}: infinities became {odd}"
    assert run.data.tags["mlflow.note.content"], f"{what} has no description"
    same(f"{what} datasets", sorted(i.dataset.name for i in run.inputs.dataset_inputs), sorted(want["datasets"]))
    for i in run.inputs.dataset_inputs:
        assert json.loads(i.dataset.schema)["mlflow_colspec"], f"{what}: {i.dataset.name} has no schema"
        assert json.loads(i.dataset.profile)["num_rows"] > 0, f"{what}: {i.dataset.name} has no rows"
        assert mlflow.data.get_source(i.dataset) is not None
    files = [f.path for top in ("", "plots") for f in client.list_artifacts(run.info.run_id, top) if not f.is_dir]
    same(f"{what} files", sorted(files), sorted(want["files"] or []))
    outputs = run.outputs.model_outputs if run.outputs else []
    same(f"{what} models", len(outputs), 1 if want["status"] == "FINISHED" else 0)


def check_model(client, version, want, run_id):
    what = want["name"]
    same(f"{what} run", version.run_id, run_id)
    same(f"{what} status", version.status, "READY")
    for text in (version.tags["iacontinu.label_0"], version.tags["iacontinu.label_1"]):
        assert f"`{text}`" in version.description, f"{what}: the description does not name the class {text}"
    logged = mlflow.get_logged_model(version.source.removeprefix("models:/"))
    same(f"{what} model", str(logged.status), "READY")
    linked = [m for m in logged.metrics if m.key == "accuracy"]
    same(f"{what} metric's dataset", [m.dataset_name for m in linked], ["holdout"])
    uri = f"models:/{version.name}/{version.version}"
    info = mlflow.models.get_model_info(uri)
    same(f"{what} inputs", info.signature.inputs.input_names(), want["columns"])
    same(f"{what} outputs", info.signature.outputs.input_names(), ["label", "probability"])
    frame = pd.DataFrame(want["rows"], columns=want["columns"])
    model = mlflow.pyfunc.load_model(uri)
    assert model.input_example is not None, f"{what} has no input example"
    worst = compare(what + " by pyfunc", model.predict(frame), want)
    folder = mlflow.artifacts.download_artifacts(uri)
    proto = onnx.load(os.path.join(folder, "model.onnx"))
    onnx.checker.check_model(proto, full_check=True)
    same(f"{what} metadata", {p.key: p.value for p in proto.metadata_props}["version"], what)
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    label, probability = session.run(["label", "probability"], {session.get_inputs()[0].name: frame.values})
    same(f"{what} shapes", (label.shape, probability.shape), ((len(frame), 1), (len(frame), 1)))
    nan = session.run(["label"], {session.get_inputs()[0].name: np.full((1, len(want["columns"])), np.nan)})[0]
    same(f"{what} label of NaN", int(nan[0, 0]), 0)
    compare(what + " by onnxruntime", pd.DataFrame({"label": label[:, 0], "probability": probability[:, 0]}), want)
    return worst


def compare(what, got, want):
    same(f"{what} labels", [int(v) for v in got["label"]], want["label"])
    worst = float(np.max(np.abs(np.asarray(got["probability"]) - np.asarray(want["probability"]))))
    assert worst <= TOLERANCE, f"{what}: probabilities differ by {worst}"
    return worst


def serve(uri, model, want):
    """mlflow models serve answers as the platform does."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    bin = os.path.dirname(sys.executable)
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [os.path.join(bin, "mlflow"), "models", "serve", "-m", f"models:/{model}@champion",
             "--env-manager", "local", "-h", "127.0.0.1", "-p", str(port)],
            env={**os.environ, "MLFLOW_TRACKING_URI": uri, "PATH": bin + os.pathsep + os.environ["PATH"]},
            stdout=log, stderr=log, start_new_session=True,
        )
        try:
            await_ping(process, port, log)
            body = json.dumps({"dataframe_split": {"columns": want["columns"], "data": want["rows"]}}).encode()
            request = urllib.request.Request(
                f"http://127.0.0.1:{port}/invocations", data=body, headers={"Content-Type": "application/json"})
            answer = json.load(urllib.request.urlopen(request, timeout=30))
            return compare("served", pd.DataFrame(answer["predictions"]), want)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
            process.wait(30)


def await_ping(process, port, log):
    deadline = time.monotonic() + 120
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=2).read()
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                log.seek(0)
                sys.exit("mlflow models serve did not start: " + log.read().decode()[-2000:])
            time.sleep(0.2)


def main(uri, path):
    with open(path, encoding="utf-8") as f:
        want = json.load(f)
    mlflow.set_tracking_uri(uri)
    client = MlflowClient()
    experiment = client.get_experiment_by_name(want["experiment"])
    same("experiment kind", experiment.tags["mlflow.experimentKind"], "custom_model_development")
    runs = {r.info.run_name: r for r in client.search_runs([experiment.experiment_id], max_results=1000)}
    same("runs", sorted(runs), sorted(r["name"] for r in want["runs"]))
    for r in want["runs"]:
        check_run(client, runs[r["name"]], r)
    versions = {v.tags["iacontinu.version"]: v for v in client.search_model_versions(f"name='{want['model']}'")}
    same("versions", sorted(versions), sorted(v["name"] for v in want["versions"]))
    aliases = client.get_registered_model(want["model"]).aliases
    same("aliases", {a: client.get_model_version(want["model"], n).tags["iacontinu.version"] for a, n in aliases.items()}, want["aliases"])
    for v in want["versions"]:
        worst = check_model(client, versions[v["name"]], v, runs[v["name"]].info.run_id)
        print(f"{v['name']}: {len(v['columns'])} features, {len(v['rows'])} rows, largest difference {worst:.1e}")
    by_name = {v["name"]: v for v in want["versions"]}
    champion = by_name[want["aliases"]["champion"]]
    frame = pd.DataFrame(champion["rows"], columns=champion["columns"])
    model = mlflow.pyfunc.load_model(f"models:/{want['model']}@champion")
    compare("champion", model.predict(frame), champion)
    # As the README says it, of data of one's own that has whole numbers.
    own = pd.DataFrame({column: [i, 1, -2] for i, column in enumerate(champion["columns"])})
    same("types of own data", {str(t) for t in own.dtypes}, {"int64"})
    same("labels of own data", len(model.predict(own.astype(float))["label"]), 3)
    print(f"served: largest difference {serve(uri, want['model'], champion):.1e}")


if __name__ == "__main__":
    main(*sys.argv[1:])
