"""Says how far the line is from the pairs that it has not seen."""

import argparse
import json
from pathlib import Path

import points

parser = argparse.ArgumentParser()
parser.add_argument("--data", type=Path, required=True)
parser.add_argument("--model", type=Path, required=True)
parser.add_argument("--split", required=True)
args = parser.parse_args()

model = json.loads(args.model.read_text())
pairs = points.read(args.data / f"{args.split}.csv")
error = max(abs(model["slope"] * x + model["offset"] - y) for x, y in pairs)
print(f"the largest error on {len(pairs)} pairs is {error:.3f}")
print(f"::set-output name=error::{error:.3f}")
