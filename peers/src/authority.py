"""Answers questions about the flow language with the installed apolo-flow: one JSON document a line, in and out."""

import asyncio
import json
import os
import signal
import sys
import traceback
from contextlib import asynccontextmanager
from pathlib import Path, PurePosixPath

import yarl
from apolo_flow import ast, context, expr, parser
from apolo_flow.config_loader import BatchLocalCL, LiveLocalCL
from apolo_flow.tokenizer import Pos
from funcparserlib.parser import NoParseError
from apolo_flow.types import AlwaysT, TaskStatus

POS = Pos(0, 0, Path("<expr>"))


class Place:
    cluster_name = "main"
    org_name = "acme"
    project_name = "demo"
    project_name_or_raise = "demo"
    username = "ada"


class Client:
    def __init__(self):
        from apolo_sdk._parser import Parser

        self.config = Place()
        self.parse = Parser._create(Place())


CLIENT = Client()
# Python would print an address in memory.
AlwaysT.__repr__ = AlwaysT.__str__


class Memory:
    """Remembers what a rule of the grammar gave at a position: the same answers, without the time that doubles."""

    tokens = None
    found = {}


def remember(parser):
    run = parser.run

    def remembered(tokens, state):
        if Memory.tokens is not tokens:
            Memory.tokens, Memory.found = tokens, {}
        key = (id(parser), state.pos)
        if key not in Memory.found:
            try:
                Memory.found[key] = run(tokens, state), None
            except NoParseError as error:
                Memory.found[key] = None, error
        result, error = Memory.found[key]
        if error is not None:
            raise error
        return result

    parser.run = remembered


for rule in ("EXPR", "ATOM_EXPR", "DISJUNCTION", "FACTOR", "INVERSION"):
    remember(getattr(expr, rule))


class Root(expr.RootABC):
    def __init__(self, values):
        self.values = values

    def lookup(self, name):
        if name not in self.values:
            raise context.NotAvailable(name)
        return self.values[name]

    @asynccontextmanager
    async def client(self):
        yield CLIENT

    @property
    def dry_run(self):
        return True


def volume(key, fields):
    full = fields.get("full_local_path")
    local = fields.get("local")
    return context.VolumeCtx(
        id=key,
        remote=yarl.URL(fields["remote"]),
        mount=PurePosixPath(fields["mount"]),
        read_only=fields.get("read_only", False),
        local=Path(local) if local is not None else None,
        full_local_path=Path(full) if full is not None else None,
    )


def contexts(data):
    out = dict(data)
    if "needs" in out:
        out["needs"] = {
            key: context.DepCtx(TaskStatus(item["result"]), item["outputs"]) for key, item in out["needs"].items()
        }
    if "volumes" in out:
        out["volumes"] = {key: volume(key, item) for key, item in out["volumes"].items()}
    if "project" in out:
        out["project"] = context.ProjectCtx(**out["project"])
    if "strategy" in out:
        out["strategy"] = context.StrategyCtx(**out["strategy"])
    if "multi" in out:
        out["multi"] = context.MultiCtx(**out["multi"])
    if "flow" in out:
        out["flow"] = context.FlowCtx(**{**out["flow"], "workspace": Path(out["flow"]["workspace"])})
    if "git" in out:
        from apolo_flow.types import GitInfo

        out["git"] = context.GitCtx(GitInfo(**out["git"]))
    return out


class Any(expr.Expr):
    """Gives the value of a template as it is."""

    def convert(self, arg):
        return arg


class Slow(BaseException):
    """The authority's parser takes time that doubles with every bracket."""


def ring(*_):
    raise Slow


signal.signal(signal.SIGALRM, ring)


def evaluate(template, root):
    signal.setitimer(signal.ITIMER_REAL, 1)
    try:
        return answer(template, root)
    except Slow:
        return {"slow": True}
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def answer(template, root):
    try:
        parsed = Any(POS, POS, template)
    except Exception as error:
        return {"load": f"{type(error).__name__}: {error}"[:300]}
    try:
        # Nothing in these expressions waits for anything: the coroutine ends at its first step.
        value = drive(parsed.eval(root))
    except Exception as error:
        return {"eval": f"{type(error).__name__}: {error}"[:300]}
    try:
        return {"value": repr(value)}
    except Exception as error:
        return {"unwritable": f"{type(error).__name__}: {error}"[:300]}


def drive(coroutine):
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise RuntimeError("the expression waited")


def op_eval(request):
    root = Root(contexts(request["context"]))
    return [evaluate(template, root) for template in request["templates"]]


OPS = {"eval": op_eval}


def main():
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    try:
        import authority_flow
        import authority_run
        import authority_yaml

        OPS.update(authority_flow.OPS)
        OPS.update(authority_run.OPS)
        OPS.update(authority_yaml.OPS)
    except ModuleNotFoundError:
        pass
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"answer": OPS[request["op"]](request)}
        except Exception:
            answer = {"failure": traceback.format_exc()}
        replies.write(json.dumps(answer) + "\n")
        replies.flush()


main()
