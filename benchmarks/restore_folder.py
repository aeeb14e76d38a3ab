"""Time of `aeplug reconstruct` over a folder of pictures, against what its parts take alone.

    python benchmarks/restore_folder.py MODEL [--pictures 200] [--side 512] [--folder PICTURES]

Compute alone: the model on the same batches, nothing beside it. Core-seconds: the processor time
of decoding, computing and encoding, each measured alone on one thread (computing on torch's). On
two cores no job can be faster than the larger of compute alone and half of all core-seconds; the
bar is 1.1 times that. Run it on a machine that does nothing else. Two cores that are threads of
one take longer for the same work when both are busy than one alone: the time over half of the
core-seconds that the job itself took says how busy it kept both. Any model whose codec reads PNG
will do.
"""

from __future__ import annotations

import argparse
import json
import os

from aeplug.inference import reconstruct_chunks

# As the program has it, before torch is imported.
os.environ.setdefault("GOMP_SPINCOUNT", "20000")
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")

import shutil
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from aeplug.api import load
from aeplug.data import Result, assemble, iter_document_chunks
from aeplug.interfaces import Document, RawBatch, Sampling
from aeplug.jobs import Inputs, Job, Reconstruction
from aeplug.model import Model
from aeplug.plugins import active

GREEDY = Sampling(greedy=True)


def make_pictures(folder: Path, count: int, side: int) -> None:
    """Waves with noise, as PNG and JPEG by turns: as hard to pack as photographs."""
    y, x = np.mgrid[0:side, 0:side]
    for number in range(count):
        draw = np.random.default_rng(number)
        waves = sum(
            np.sin(x * draw.uniform(0.01, 0.2) + y * draw.uniform(0.01, 0.2))[..., None]
            * draw.uniform(5, 40, 3)
            for _ in range(4)
        )
        pixels = waves + 128 + draw.normal(0, 3, (side, side, 3))
        image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
        image.save(folder / f"{number:06}{('.png', '.jpg')[number % 2]}")


def measured(model: Model, paths: list[Path], out: Path) -> tuple[float, float, float]:
    """Seconds of computing alone; core-seconds of computing, and of decoding and encoding."""
    beside = wall = core = 0.0
    for path in paths:
        # Tensors of the files' side of the work are made on one thread, as the job does.
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        began = time.process_time()
        document: Document = model.read(path)
        raws: list[RawBatch] = list(iter_document_chunks(model.codec, document))
        beside += time.process_time() - began
        torch.set_num_threads(threads)
        began, wall_began = time.process_time(), time.perf_counter()
        results: list[Result] = [reconstruct_chunks(model, [raw], GREEDY)[0] for raw in raws]
        wall += time.perf_counter() - wall_began
        core += time.process_time() - began
        torch.set_num_threads(1)
        began = time.process_time()
        after = assemble(model.codec, results, document)
        after.suffix = path.suffix
        model.codec.write(after, out / path.stem, {})
        beside += time.process_time() - began
        torch.set_num_threads(threads)
    return wall, core, beside


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model")
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    model = load(options.model, device="cpu")
    suffixes = active().find("codec", model.config.sections["codec"].name).suffixes
    scratch = Path(tempfile.mkdtemp())
    try:
        folder = options.folder or scratch / "in"
        if not options.folder:
            folder.mkdir()
            make_pictures(folder, options.pictures, options.side)
        inputs = Inputs([str(folder)], "", suffixes, scratch / "none")
        paths = [Path(one.path) for one in inputs][: options.pictures]
        (scratch / "alone").mkdir()
        measured(model, paths[:3], scratch / "alone")  # warm
        report = []
        for number in range(options.rounds):
            wall, core, beside = measured(model, paths, scratch / "alone")
            began, spent = time.perf_counter(), time.process_time()
            out = scratch / f"job-{number}"
            inputs = Inputs([str(path) for path in paths], "", suffixes, out)
            job = Job(Reconstruction(model), inputs, out, suffixes[0])
            job.run()
            took, spent = time.perf_counter() - began, time.process_time() - spent
            assert job.counts.done == len(paths)
            least = max(wall, (core + beside) / 2)
            report.append(
                {
                    "pictures": len(paths),
                    "compute_alone_s": round(wall, 2),
                    "core_s_compute": round(core, 2),
                    "core_s_decode_encode": round(beside, 2),
                    "least_s": round(least, 2),
                    "job_s": round(took, 2),
                    "job_core_s": round(spent, 2),
                    "job_over_least": round(took / least, 3),
                    "job_over_half_its_core_s": round(2 * took / spent, 3),
                    "load": os.getloadavg()[0],
                }
            )
            print(json.dumps(report[-1]), flush=True)
        median = statistics.median(float(one["job_over_least"]) for one in report)
        print(f"median of {len(report)}: {median:.3f} (bar: 1.1)")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
