"""Reads a flow run back by Prefect's own client and compares it with what was reported.

usage: readback.py WANT.json, with {"id": flow run, "run": flowrun.Run}; PREFECT_API_URL names the server.
Prints what differs and ends with 1 if anything does.
"""

import asyncio
import json
import sys
from datetime import datetime, timedelta

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    FlowRunFilter,
    FlowRunFilterId,
    LogFilter,
    LogFilterFlowRunId,
)

STATES = {
    "completed": ("COMPLETED", "Completed"),
    "failed": ("FAILED", "Failed"),
    "cancelled": ("CANCELLED", "Cancelled"),
    "skipped": ("COMPLETED", "Skipped"),
}
faults = []


def check(what, got, want):
    if got != want:
        faults.append(f"{what}: got {got!r}, want {want!r}")


def close(what, got, want):
    """Times are kept to the microsecond."""
    if got is None or abs(got - datetime.fromisoformat(want)) > timedelta(microseconds=2):
        faults.append(f"{what}: got {got}, want {want}")


def check_run(got, want):
    check("run state", (got.state.type.value, got.state.name), STATES[want["state"]])
    check("run message", got.state.message.startswith(want.get("message", "")), True)
    check("run name", got.name, want["name"])
    check("run parameters", got.parameters, want.get("parameters", {}))


def check_tasks(tasks, want):
    ids = {t.name: t.id for t in tasks}
    check("steps", sorted(ids), sorted(s["name"] for s in want))
    for step in want:
        task = next((t for t in tasks if t.name == step["name"]), None)
        if task is None:
            continue
        name = f"step {step['name']}"
        check(f"{name} state", (task.state.type.value, task.state.name), STATES[step["state"]])
        check(f"{name} message", task.state.message or "", step.get("message", ""))
        check(f"{name} attempts", task.run_count, step["attempt"])
        inputs = sorted(i.id for given in task.task_inputs.values() for i in given)
        check(f"{name} dependencies", inputs, sorted(ids[a] for a in step.get("after", [])))
        if "started" in step:
            close(f"{name} start", task.start_time, step["started"])
            close(f"{name} end", task.end_time, step["ended"])


def check_logs(logs, tasks, want):
    names = {t.id: t.name for t in tasks}
    got = sorted((log.timestamp, log.level, log.message, names.get(log.task_run_id, "")) for log in logs)
    lines = sorted((datetime.fromisoformat(l["at"]), l["level"], l["text"], l.get("step", "")) for l in want)
    check("log lines", [g[1:] for g in got], [w[1:] for w in lines])
    for g, w in zip(got, lines):
        close(f"line {w[2]!r}", g[0], w[0].isoformat())


def check_artifacts(artifacts, want):
    got = {a.key: a for a in artifacts}
    check("artifacts", (len(artifacts), sorted(got)), (len(want), sorted(a["key"] for a in want)))
    for a in want:
        if a["key"] not in got:
            continue
        kind, data, text = a["kind"], got[a["key"]].data, a.get("description", "")
        check(f"artifact {a['key']} type", got[a["key"]].type, "markdown" if kind == "link" else kind)
        check(f"artifact {a['key']} description", got[a["key"]].description or "", text)
        if kind == "table":
            data = json.loads(data)
        expected = f"[{text or a['data']}]({a['data']})" if kind == "link" else a["data"]
        check(f"artifact {a['key']}", data, expected)


async def states_of(client, tasks):
    return {t.name: [s.name for s in sorted(await client.read_task_run_states(t.id), key=lambda s: s.timestamp)] for t in tasks}


async def main(path):
    with open(path) as f:
        want = json.load(f)
    run = want["run"]
    async with get_client() as client:
        only = FlowRunFilter(id=FlowRunFilterId(any_=[want["id"]]))
        check_run(await client.read_flow_run(want["id"]), run)
        tasks = await client.read_task_runs(flow_run_filter=only)
        check_tasks(tasks, run.get("steps") or [])
        for name, states in (await states_of(client, tasks)).items():
            step = next(s for s in run["steps"] if s["name"] == name)
            check(f"step {name} tries", states.count("AwaitingRetry"), max(step["attempt"] - 1, 0))
        logs = await client.read_logs(LogFilter(flow_run_id=LogFilterFlowRunId(any_=[want["id"]])))
        check_logs(logs, tasks, run.get("lines") or [])
        artifacts = await client.read_artifacts(
            artifact_filter=ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[want["id"]]))
        )
        check_artifacts(artifacts, run.get("artifacts") or [])


asyncio.run(main(sys.argv[1]))
print("\n".join(faults))
sys.exit(1 if faults else 0)
