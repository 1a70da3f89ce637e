"""Fits a line by least squares."""

import argparse
import json
from pathlib import Path

import points

parser = argparse.ArgumentParser()
parser.add_argument("--data", type=Path, required=True)
parser.add_argument("--output", type=Path, required=True)
args = parser.parse_args()

pairs = points.read(args.data / "train.csv")
mean_x = sum(x for x, _ in pairs) / len(pairs)
mean_y = sum(y for _, y in pairs) / len(pairs)
slope = sum((x - mean_x) * (y - mean_y) for x, y in pairs) / sum((x - mean_x) ** 2 for x, _ in pairs)
args.output.write_text(json.dumps({"slope": slope, "offset": mean_y - slope * mean_x}))
print(f"::set-output name=slope::{slope:.3f}")
