"""How far the ratios of `litesmith bench` can be believed.

Two identical files, timed as the command does, 100 times: how often the interval holds 1, which it
should in 95. Then two models that differ, beside a loop written out here: how far apart the
ratios are. A busy machine is welcome: that is where people measure.

    python -m tests.benchmarks.latency_ratios --models A.tflite B.tflite
"""

import argparse
import math
import tempfile
import time
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from components.tools.bench import bench
from tests.builders.tflite_models import build_classifier


def holds_one(model: Path, twin: Path, runs: int) -> tuple[bool, float]:
    """Returns whether the interval of two identical files holds 1, and how wide it is."""
    found = bench([model, twin], threads=[1], runs=runs, max_seconds=math.inf)
    ratio = found.models[1].latencies[0].ratio
    assert ratio is not None
    return ratio.low <= 1 <= ratio.high, ratio.high - ratio.low


def loop_by_hand(models: list[Path], *, rounds: int, loads: int = 6) -> float:
    """Returns the ratio of the medians of a loop that shares no code with the command."""
    durations: list[list[int]] = [[], []]
    for load in range(loads):
        opened = []
        for model in models[:: 1 if load % 2 else -1]:
            interpreter = Interpreter(model_path=str(model), num_threads=1)
            interpreter.allocate_tensors()
            for one in interpreter.get_input_details():
                value = np.random.default_rng(1).integers(0, 100, one["shape"])
                interpreter.set_tensor(one["index"], value.astype(one["dtype"]))
            opened.append((models.index(model), interpreter))
        for turn in range(rounds // loads + 3):
            for number, interpreter in opened[:: 1 if turn % 2 else -1]:
                started = time.perf_counter_ns()
                interpreter.invoke()
                if turn >= 3:
                    durations[number].append(time.perf_counter_ns() - started)
    return float(np.median(durations[1]) / np.median(durations[0]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--models", type=Path, nargs=2, help="to compare, in place of made-up ones")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model, twin, larger = (Path(folder, f"{name}.tflite") for name in ("a", "b", "c"))
        model.write_bytes(build_classifier(size=64, filters=16))
        twin.write_bytes(model.read_bytes())
        larger.write_bytes(build_classifier(size=64, filters=24))
        trials = [holds_one(model, twin, arguments.runs) for _ in range(arguments.trials)]
        held, widths = zip(*trials, strict=True)
        print(f"identical files: the interval holds 1 in {sum(held)} of {len(held)} measurements")
        print(f"its width: {np.median(widths):.3f} in the middle, {max(widths):.3f} at most")
        pair = arguments.models or [model, larger]
        for _ in range(5):
            found = bench(pair, threads=[1], runs=3 * arguments.runs, max_seconds=math.inf)
            ratio = found.models[1].latencies[0].ratio
            assert ratio is not None
            by_hand = loop_by_hand(pair, rounds=3 * arguments.runs)
            print(
                f"ratio {ratio.value:.3f} ({ratio.low:.3f} to {ratio.high:.3f}), by hand "
                f"{by_hand:.3f}: {100 * (ratio.value / by_hand - 1):+.1f} %"
            )


if __name__ == "__main__":
    main()
