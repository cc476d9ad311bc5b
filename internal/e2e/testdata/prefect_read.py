"""What Prefect's own client finds of flow runs, as JSON: prefect_read.py ID...; PREFECT_API_URL names the server."""

import asyncio
import json
import sys

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    FlowRunFilter,
    FlowRunFilterId,
    LogFilter,
    LogFilterFlowRunId,
)


def state(of):
    return {"type": of.state.type.value, "state": of.state.name, "message": of.state.message or ""}


def task(t, names):
    return {
        "id": str(t.id), "name": t.name, **state(t),
        "after": sorted(names[i.id] for given in t.task_inputs.values() for i in given),
        "start": t.start_time and t.start_time.isoformat(), "end": t.end_time and t.end_time.isoformat(),
    }


async def read(client, run_id):
    run = await client.read_flow_run(run_id)
    tasks = await client.read_task_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[run_id])))
    names = {t.id: t.name for t in tasks}
    logs = await client.read_logs(LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run_id])))
    artifacts = await client.read_artifacts(artifact_filter=ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run_id])))
    return {
        "id": str(run.id), "name": run.name, "flow": (await client.read_flow(run.flow_id)).name, **state(run),
        "parameters": run.parameters, "parent": run.parent_task_run_id and str(run.parent_task_run_id),
        "expected": run.expected_start_time.isoformat(),
        "start": run.start_time and run.start_time.isoformat(), "end": run.end_time and run.end_time.isoformat(),
        "tasks": [task(t, names) for t in tasks if t.task_key is not None],
        "lines": [{"message": line.message, "task": names.get(line.task_run_id, "")} for line in logs],
        "artifacts": [{"key": a.key, "type": a.type, "data": a.data, "description": a.description or ""} for a in artifacts],
    }


async def main(ids):
    async with get_client() as client:
        json.dump([await read(client, i) for i in ids], sys.stdout)


asyncio.run(main(sys.argv[1:]))
