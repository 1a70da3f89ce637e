"""What DevPI asks of its plugins: who calls, and who may. The guard has judged both before; DevPI judges a second time, by
principals that are good for one index alone."""

from devpi_server.config import hookimpl

from .rights import Index, Rights

# Key of the WSGI environment: what the guard found out about the caller.
CALLER = "delos.caller"
WRITE = ":write:"
READ = ":read:"


class Caller:
    """As DevPI wants an identity: a name, and the groups that stand as `:GROUP` in the lists of an index."""

    def __init__(self, username: str, index: Index | None, rights: Rights) -> None:
        self.username = username
        self.groups = []
        if index is not None and rights.read:
            self.groups.append(f"read:{index.name}")
        if index is not None and rights.write:
            self.groups.append(f"write:{index.name}")


def config_of(index: Index) -> dict[str, object]:
    """The configuration of an index. What was released stays as it is (`volatile`)."""
    return {
        "type": "stage",
        "bases": (),
        "volatile": False,
        "acl_upload": (WRITE + index.name,),
        "acl_toxresult_upload": (WRITE + index.name,),
    }


@hookimpl
def devpiserver_get_identity(request, credentials):
    return request.environ.get(CALLER)


@hookimpl
def devpiserver_stage_get_principals_for_pkg_read(ixconfig):
    return [READ + writer.removeprefix(WRITE) for writer in ixconfig.get("acl_upload", ())]
