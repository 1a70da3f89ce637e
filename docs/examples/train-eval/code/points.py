"""Pairs of numbers in files: one pair a line."""

from pathlib import Path


def read(path: Path) -> list[tuple[float, float]]:
    lines = path.read_text().split("\n")
    return [(float(x), float(y)) for x, y in (line.split(",") for line in lines if line)]


def write(path: Path, points: list[tuple[float, float]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{x},{y}\n" for x, y in points))
