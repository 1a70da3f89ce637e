"""Whole flows: what apolo-flow refuses when it reads one, sets it up and checks it before a bake, and what its tasks are."""

import asyncio
import json
import os
import signal
import sys
from contextlib import asynccontextmanager
from io import StringIO
from pathlib import Path, PurePosixPath

from apolo_flow import ast, batch_runner, context, expr, parser
from apolo_flow.config_loader import BatchStreamCL, LiveStreamCL
from apolo_flow.types import GitInfo, TaskStatus

MAIN = sys.modules["__main__"]
ROOT = Path(__file__).resolve().parent
GIT = GitInfo(sha="c0ffee", branch="main", tags=["v1"])


class NamedText(StringIO):
    name = "<file>"


class Memory:
    """Files by their path below the workspace."""

    def __init__(self, files):
        super().__init__()
        self.files = files

    @property
    def workspace(self):
        return ROOT

    @property
    def client(self):
        return MAIN.CLIENT

    def open(self, path):
        stream = NamedText(self.files[path])
        stream.name = str(ROOT / path)
        return stream

    @asynccontextmanager
    async def project_stream(self):
        for path in (".apolo/project.yml", "project.yml"):
            if path in self.files:
                yield self.open(path)
                return
        yield None

    @asynccontextmanager
    async def flow_stream(self, name):
        yield self.open(name)

    @asynccontextmanager
    async def action_stream(self, name):
        from apolo_flow.config_loader import ActionSpec

        spec = ActionSpec.parse(name)
        if not spec.is_local:
            raise ValueError(f"Unsupported scheme '{spec.scheme}'")
        for extension in ("", ".yml", ".yaml"):
            if spec.spec + extension in self.files:
                yield self.open(spec.spec + extension)
                return
        raise ValueError(f"Action {name} does not exist")


class BatchMemory(Memory, BatchStreamCL):
    pass


class LiveMemory(Memory, LiveStreamCL):
    pass


async def git_info():
    return GIT


context.collect_git_info = git_info
LEVELS = {ast.NeedsLevel.COMPLETED: "completed", ast.NeedsLevel.RUNNING: "running"}


def plain(value):
    if isinstance(value, context.AlwaysT):
        return "always()"
    if isinstance(value, (PurePosixPath, Path)):
        return str(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (str, int, float, bool)) or value is None:
        return str(value.value) if hasattr(value, "value") and isinstance(value, str) else value
    return str(value)


FIELDS = [
    "title", "name", "image", "preset", "schedule_timeout", "http_port", "http_auth", "pass_config", "entrypoint",
    "cmd", "workdir", "volumes", "life_span", "env", "tags", "restart",
]
LIVE_FIELDS = [*FIELDS, "detach", "browse", "port_forward"]


def fake_needs(levels):
    return {
        key: context.DepCtx(TaskStatus.SUCCEEDED, {"out": f"{key}-value", "path": "/a b"})
        for key, level in levels.items()
        if level == ast.NeedsLevel.COMPLETED
    }


STATE = {"token": "t1"}


async def tasks_of(flow, prefix=()):
    out = []
    for key, levels in flow.graph.items():
        full = prefix + (key,)
        entry = {"id": ".".join(full), "needs": {".".join(prefix + (need,)): LEVELS[level] for need, level in levels.items()}}
        entry["matrix"] = plain(flow._tasks[key].matrix)
        needs = fake_needs(levels)
        post = await flow.state_from(key)
        state = STATE if post else {}
        out.append(entry)
        try:
            if await flow.is_task(key):
                task = await flow.get_task(prefix, key, needs, state)
                entry["kind"] = "post" if post else "task"
                entry["fields"] = {name: plain(getattr(task, name)) for name in FIELDS}
                entry["fields"]["tags"] = [tag for tag in entry["fields"]["tags"] if not tag.startswith("bake_id:")]
                entry["enable"] = plain(task.enable)
                if not needs and not state:
                    entry["cache_key"] = task.caching_key
            elif await flow.is_local(key):
                entry["kind"] = "local"
                entry["fields"] = {"cmd": (await flow.get_local(key, needs)).cmd}
                entry["enable"] = plain((await flow.get_meta(key, needs, {})).enable)
            else:
                entry["kind"] = "action"
                entry["enable"] = plain((await flow.get_meta(key, needs, {})).enable)
                out += await tasks_of(await flow.get_action(key, needs), full)
        except Exception as error:
            entry["late"] = f"{type(error).__name__}: {error}"[:300]
    return out


async def batch(files, path, params, values):
    loader = BatchMemory(files)
    try:
        await loader.fetch_flow(path)
        await loader.fetch_project()
    except Exception as error:
        return {"stage": "load", "error": f"{type(error).__name__}: {error}"[:300]}
    try:
        flow = await context.RunningBatchFlow.create(loader, path, "bake-1", params)
    except Exception as error:
        return {"stage": "setup", "error": f"{type(error).__name__}: {error}"[:300]}
    try:
        for volume in flow.volumes.values():
            if volume.local is not None:
                raise ValueError("Volumes sync is not supported")
        await asyncio.wait_for(batch_runner.check_no_cycles(flow), 5)
        await batch_runner.check_local_deps(flow)
        await batch_runner.check_expressions(flow)
        await batch_runner.check_image_refs_unique(flow)
    except Exception as error:
        return {"stage": "check", "error": f"{type(error).__name__}: {error}"[:300]}
    if not values:
        return {"stage": None}
    early = {**flow.early_images}
    info = context.LocallyPreparedInfo(children_info=Children(), git_info=GIT, early_images=early)
    try:
        running = await context.RunningBatchFlow.create(loader, path, "bake-1", params, info, dry_run=True)
    except Exception as error:
        return {"stage": None, "late": f"{type(error).__name__}: {error}"[:300], "tasks": []}
    return {"stage": None, "tasks": await tasks_of(running)}


class NoEarly(dict):
    pass


class Children(dict):
    """Actions are given git, and no images prepared before."""

    def get(self, key, default=None):
        return context.LocallyPreparedInfo(children_info=Children(), git_info=GIT, early_images=None)


async def live(files, path, values):
    loader = LiveMemory(files)
    try:
        flow_ast = await loader.fetch_flow(path)
        await loader.fetch_project()
    except Exception as error:
        return {"stage": "load", "error": f"{type(error).__name__}: {error}"[:300]}
    try:
        flow = await context.RunningLiveFlow.create(loader, path, dry_run=True)
    except Exception as error:
        return {"stage": "setup", "error": f"{type(error).__name__}: {error}"[:300]}
    if not values:
        return {"stage": None}
    if not isinstance(flow_ast.jobs, dict):
        return {"stage": None, "late": "TypeError: jobs are not a mapping"} if flow_ast.jobs else {"stage": None, "tasks": []}
    out = []
    for key in flow_ast.jobs:
        entry = {"id": key, "kind": "job"}
        try:
            if await flow.is_multi(key):
                job = await flow.get_multi_job(key, "s1", {})
            else:
                job = await flow.get_job(key, {})
            entry["fields"] = {name: plain(getattr(job, name)) for name in LIVE_FIELDS}
            entry["fields"]["tags"] = [tag for tag in entry["fields"]["tags"] if not tag.startswith("multi:")]
        except Exception as error:
            entry["late"] = f"{type(error).__name__}: {error}"[:300]
        out.append(entry)
    return {"stage": None, "tasks": out}


async def single(kind, text):
    stream = NamedText(text)
    try:
        (parser.parse_project_stream if kind == "project" else parser.parse_action_stream)(stream)
    except Exception as error:
        return {"stage": "load", "error": f"{type(error).__name__}: {error}"[:300]}
    return {"stage": None}


def op_flow(request):
    answers = []
    for case in request["cases"]:
        kind, files, path = case["kind"], case["files"], case["path"]
        if kind == "batch":
            answers.append(LOOP.run_until_complete(batch(files, path, case.get("params"), case.get("values", False))))
        elif kind == "live":
            answers.append(LOOP.run_until_complete(live(files, path, case.get("values", False))))
        else:
            answers.append(LOOP.run_until_complete(single(kind, files[path])))
    return answers


def op_endless(request):
    """Whether it has given no answer after a second."""
    signal.setitimer(signal.ITIMER_REAL, 1)
    try:
        op_flow(request)
        return False
    except MAIN.Slow:
        return True
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def op_workspace(request):
    """The workspace of a folder, or None."""
    try:
        return str(parser.find_workspace(request["folder"]).workspace)
    except ValueError:
        return None


def op_log(request):
    """What its own reader makes of logs, each given in chunks of Latin-1 text."""
    from apolo_flow.commands import CmdProcessor

    async def read(chunks):
        shown = b""
        async with CmdProcessor() as reader:
            for chunk in chunks:
                async for line in reader.feed_chunk(chunk.encode("latin-1")):
                    shown += line
            async for line in reader.feed_eof():
                shown += line
            return {"shown": shown.decode("latin-1"), "outputs": reader.outputs, "states": reader.states}

    return [LOOP.run_until_complete(read(chunks)) for chunks in request["logs"]]


def op_bench(request):
    """Seconds of reading and expanding a batch flow some times over."""
    import time

    async def run():
        loader = BatchMemory(request["files"])
        flow = await context.RunningBatchFlow.create(loader, request["path"], "bake-1", None)
        return await tasks_of(flow)

    times = []
    for _ in range(request["times"]):
        begun = time.perf_counter()
        tasks = LOOP.run_until_complete(run())
        times.append(time.perf_counter() - begun)
    return {"seconds": times, "tasks": tasks}


LOOP = asyncio.new_event_loop()
OPS = {"flow": op_flow, "endless": op_endless, "workspace": op_workspace, "log": op_log, "bench": op_bench}
