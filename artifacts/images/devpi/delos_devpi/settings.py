"""What the service is started with: variables of the environment. None of them is a secret."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    # All that stays: the volume.
    data: Path
    # Path of the platform's origin under which DevPI is served, without a trailing slash.
    prefix: str
    # The control API, as it is reached from here, without a trailing slash.
    api: str
    cluster: str
    port: int
    # Health, for the kubelet.
    internal_port: int
    # Most bytes of an upload.
    max_upload: int

    @property
    def server(self) -> Path:
        return self.data / "server"


def read_settings() -> Settings:
    return Settings(
        data=Path(_value("DELOS_DEVPI_DATA")),
        prefix=_value("DELOS_DEVPI_PREFIX"),
        api=_value("DELOS_API_URL"),
        cluster=_value("DELOS_CLUSTER"),
        port=int(_value("DELOS_DEVPI_PORT")),
        internal_port=int(_value("DELOS_DEVPI_INTERNAL_PORT")),
        max_upload=int(_value("DELOS_DEVPI_MAX_UPLOAD")),
    )


def _value(name: str) -> str:
    value = os.environ.get(name, "")
    if value == "":
        raise SystemExit(f"the variable {name} is not set")
    return value
