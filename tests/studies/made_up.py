"""Studies on the embedded images, planned into a folder, with made-up results."""

import json
from dataclasses import replace

from ssgan.data.sources import parse_source
from ssgan.evaluation.results import Result, write_results
from ssgan.metrics.protocol import Protocol
from ssgan.studies.catalogue import find_study
from ssgan.studies.options import StudyOptions
from ssgan.studies.output import write_study
from ssgan.studies.trials import build_trials, list_jobs
from ssgan.studies.variants import select_variants

DATA = "scenes:num_images=40"
PROTOCOL = Protocol(
    features="inception-2015",
    features_identity="f" * 64,
    resize="tf1-bilinear",
    num_real=10_000,
    num_fake=10_000,
    split="test",
    content="c" * 64,
    seeds=(0,),
)


FIDS = {"gan": (68.2, 71.9, 64.4), "ssgan": (49.6, 52.8, 50.1)}
TOP1 = {
    ("gan", 0): (0.50, 0.44), ("gan", 1): (0.52, 0.40),
    ("ssgan", 0): (0.49, 0.53), ("ssgan", 1): (0.51, 0.57),
}  # fmt: skip


def options(out, **changes):
    found = StudyOptions(
        scale="laptop", data=DATA, test="scenes:seed=1", seeds=(0, 1), out=out, features=None,
        samples=10_000,
    )  # fmt: skip
    return replace(found, **changes)


def plan(name, chosen, variants=None):
    scale = find_study(name).at_scale(chosen.scale, chosen.features)
    info = parse_source(chosen.data).info()
    selected = select_variants(scale.variants, variants)
    return build_trials(selected, scale.measurement, chosen, info)


def write_distance(trial, value, job=-1, **changes):
    """As `ssgan evaluate` leaves it; `changes` are fields of its protocol."""
    step = trial.training.config.total_steps
    number = changes.pop("name", "FID")
    subject = f"a run, step {changes.pop('step', step)}"
    result = Result(
        name=number, subject=subject, subject_content="s", against="cifar10-test",
        values=(value,), protocol=replace(PROTOCOL, **changes),
    )  # fmt: skip
    write_results(trial.measuring[job].result, [result])


def write_probe(trial, top1, **changes):
    """As `ssgan probe` leaves it: top1 is a dict of (step, block)."""
    job = trial.measuring[-1]
    folder = job.result.parent
    folder.mkdir(parents=True)
    images = {"source": "cifar10", "content_hash": "h" * 64, "images": 50}
    with (folder / "probe.jsonl").open("w") as file:
        for (step, block), value in top1.items():
            row = {
                "protocol": 1, "train": images, "test": images, "split": "given", "labels": 50,
                "seed": 0, "solver": "lbfgs", "l2_given": None, "pooling": "mean", "fraction": 1.0,
                "step": step, "block": block, "top1": value, "knn_top1": value,
                "interval": [value, value], "chance": 0.1, "classes": ["a", "b"], "features": 8,
                "run": "a run", "method": "SSGAN", "standardised": "", "knn": "", **changes,
            }  # fmt: skip
            file.write(json.dumps(row) + "\n")
    job.result.write_bytes(b"a picture")


def commands(name, chosen, variants=None):
    return [job.command for job in list_jobs(plan(name, chosen, variants))]


def write(name, chosen, found):
    study = find_study(name)
    return write_study(study, study.at_scale(chosen.scale, chosen.features), chosen, found)


def measured(chosen, name):
    return json.loads((chosen.out / name / "results.json").read_text())["measured"]


def lines_of(text):
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    return {row[0].strip(): row[1:] for row in rows}


def probed(name, chosen, steps):
    found = plan(name, chosen, "gan,ssgan")
    for trial in found:
        top1 = TOP1[trial.variant.name, trial.seed]
        rows = {(s, b + 2): top1[b] - 0.01 * k for k, s in enumerate(steps) for b in range(2)}
        write_probe(trial, rows)
    return found
