"""Splits all pairs into those to learn from and those to judge by."""

import argparse
from pathlib import Path

import points

parser = argparse.ArgumentParser()
parser.add_argument("--input", type=Path, required=True)
parser.add_argument("--output", type=Path, required=True)
args = parser.parse_args()

pairs = [pair for path in sorted(args.input.glob("*.csv")) for pair in points.read(path)]
points.write(args.output / "train.csv", [pair for index, pair in enumerate(pairs) if index % 4 != 3])
points.write(args.output / "test.csv", pairs[3::4])
print(f"::set-output name=pairs::{len(pairs)}")
