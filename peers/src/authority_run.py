"""Whole bakes: apolo-flow's own executor, over its own storage in memory, with jobs that do what a script says."""

import asyncio
import datetime
import sys
from io import StringIO
from types import SimpleNamespace

from apolo_flow import batch_executor, context
from apolo_flow.storage.base import BakeMeta, ConfigsMeta
from apolo_flow.storage.in_memory import InMemoryStorage
from apolo_flow.types import TaskStatus
from apolo_sdk import JobStatus
from rich.console import Console

import authority_flow

MAIN = sys.modules["__main__"]


def now():
    return datetime.datetime.now(datetime.timezone.utc)


class Jobs:
    """The platform as the executor sees it."""

    def __init__(self, script, on_start):
        self.script = script
        self.on_start = on_start
        self.jobs = {}
        self.most = 0
        self.config_presets = {"cpu": None}

    async def job_start(self, **fields):
        task = next(tag[len("task:"):] for tag in fields["tags"] if tag.startswith("task:"))
        plan = self.script.get(task, {})
        job = SimpleNamespace(
            id=f"job-{len(self.jobs)}",
            task=task,
            fields=fields,
            polls=0,
            killed=False,
            plan=plan,
            status=JobStatus.PENDING,
            history=SimpleNamespace(created_at=now(), started_at=None, finished_at=None),
        )
        self.jobs[job.id] = job
        self.most = max(self.most, sum(job.history.finished_at is None for job in self.jobs.values()))
        await self.on_start(task)
        return job

    async def job_status(self, raw_id):
        job = self.jobs[raw_id]
        job.polls += 1
        if job.history.finished_at is not None:
            return job
        if job.killed:
            job.status = JobStatus.CANCELLED
            job.history.finished_at = now()
        elif job.polls > job.plan.get("turns", 1):
            job.status = JobStatus(job.plan.get("status", "succeeded"))
            job.history.started_at = job.history.started_at or now()
            job.history.finished_at = now()
        else:
            job.status = JobStatus.RUNNING
            job.history.started_at = job.history.started_at or now()
        return job

    async def job_logs(self, raw_id):
        yield self.jobs[raw_id].plan.get("log", "").encode()

    async def job_kill(self, raw_id):
        self.jobs[raw_id].killed = True

    def parse_remote_image(self, image):
        return SimpleNamespace(cluster_name=None)

    def parse_envs(self, envs):
        return SimpleNamespace(env=dict(one.split("=", 1) for one in envs), secret_env={})

    def parse_volumes(self, volumes):
        return SimpleNamespace(volumes=list(volumes), secret_files=[], disk_volumes=[])


async def bake(request, project, storage, number):
    loader = authority_flow.BatchMemory(request["files"])
    path = "main"
    plain = await context.RunningBatchFlow.create(loader, path, f"bake-{number}", request.get("params"))
    info = context.LocallyPreparedInfo(
        children_info=authority_flow.Children(), git_info=authority_flow.GIT, early_images={**plain.early_images}
    )
    flow = await context.RunningBatchFlow.create(
        loader, path, f"bake-{number}", request.get("params"), info, dry_run=True
    )
    made = await project.create_bake(path, BakeMeta(None), {})
    bake_storage = storage.bake(id=made.id)
    attempt = await bake_storage.create_attempt(ConfigsMeta("", "", None, {}))
    attempt_storage = bake_storage.attempt(id=attempt.id)

    async def on_start(task):
        if task == request.get("cancelOn"):
            await attempt_storage.update(result=TaskStatus.CANCELLED)

    jobs = Jobs(request.get("jobs", {}), on_start)
    executor = batch_executor.BatchExecutor(
        Console(file=StringIO(), width=200),
        flow,
        made,
        attempt,
        jobs,
        attempt_storage,
        bake_storage,
        project,
        polling_timeout=0,
    )
    await asyncio.wait_for(executor.run(), 20)
    tasks = {}
    async for task in attempt_storage.list_tasks():
        tasks[".".join(task.yaml_id)] = {
            "statuses": [item.status.value for item in task.statuses],
            "outputs": task.outputs,
            "state": task.state,
        }
    return {
        "result": (await attempt_storage.get()).result.value,
        "tasks": tasks,
        "most": jobs.most,
        "jobs": {
            job.task: {
                "cmd": job.fields["command"],
                "env": job.fields["env"],
                "volumes": job.fields["volumes"],
                "tags": sorted(tag for tag in job.fields["tags"] if not tag.startswith("bake_id:")),
            }
            for job in jobs.jobs.values()
        },
    }


async def run(request):
    storage = InMemoryStorage()
    made = await storage.create_project("demo", "demo")
    project = storage.project(id=made.id)
    bakes = [await bake(request, project, storage, number) for number in range(request.get("bakes", 1))]
    keys = {".".join(entry.task_id): entry.key for entry in storage._db.cache_entries.values()}
    return {"bakes": bakes, "keys": keys}


def op_run(request):
    return [authority_flow.LOOP.run_until_complete(run(case)) for case in request["cases"]]


OPS = {"run": op_run}
