"""`ssgan show RUN...`: prints how a run is doing, or compares several, from their files alone."""

from pathlib import Path

from ssgan.cli.config_args import import_trusted
from ssgan.cli.options import Show
from ssgan.cli.runs.table import format_csv, write_csv
from ssgan.config.help import format_settings
from ssgan.config.merge import read_json
from ssgan.config.text import spell_duration
from ssgan.evaluation.selection_metric import metric_name
from ssgan.files.names import readable
from ssgan.files.own_outputs import refuse_other_picture
from ssgan.files.run_directory import RunDirectory
from ssgan.plots.curves import draw_comparison, draw_curves
from ssgan.report.comparison import format_runs, name_runs, open_run
from ssgan.runs import checkpoint
from ssgan.runs.checkpoint import healthy_files
from ssgan.runs.config import RunConfig
from ssgan.training.history import read_log, read_metrics
from ssgan.training.monitor import monitor_directory
from ssgan.types import UserError


def main(given: Show) -> int:
    """Print what is known of a run, or compare several; returns the exit code."""
    if given.curves is not None and given.curves.suffix == ".png":
        refuse_other_picture(given.curves)
    trusted = import_trusted(given.trust)
    runs = [open_run(path, trusted) for path in given.runs]
    layout, config = runs[0]
    if given.csv == Path("-"):
        print(format_csv(layout), end="")
        return 0
    if len(runs) > 1:
        print("\n".join(format_runs(runs)))
    else:
        for label, text in _facts(layout, config, trusted):
            print(f"{label:12} {text}")
    if given.settings:
        print("\n" + format_settings(config))
    if given.csv is not None:
        write_csv(layout, given.csv)
        print(f"csv          {readable(given.csv)}")
    if given.curves is not None:
        if len(runs) > 1:
            draw_comparison(dict(zip(name_runs(given.runs), given.runs, strict=True)), given.curves)
        else:
            draw_curves(layout.root, given.curves)
        print(f"curves       {readable(given.curves)}")
    return 0


def _facts(
    layout: RunDirectory, config: RunConfig, trusted: tuple[str, ...]
) -> list[tuple[str, str]]:
    data, shape = config.data, config.data.shape
    facts = [
        ("method", f"{type(config.method).__name__}"),
        ("images", f"{data.source.name()}, {shape.size} x {shape.size}, {shape.channels} channels"),
        ("networks", f"{type(config.generator).__name__}, {type(config.discriminator).__name__}"),
    ]
    if config.init is not None:
        facts.append(("begun from", f"{config.init.model}, sha256 {str(config.init.sha256)[:12]}"))
    if layout.manifest.exists():
        facts.append(("data", _data(layout.manifest)))
    rows = read_log(layout)
    step = rows[-1]["step"] if rows else 0
    facts.append(("step", f"{step:,} of {config.total_steps:,}"))
    if rows:
        facts += _last_line(rows[-1])
    facts += _health(layout, config)
    facts += _files(layout, config, trusted)
    return facts


def _data(path: Path) -> str:
    manifest = read_json(path)
    count, content = manifest.get("num_images"), manifest.get("content_hash")
    if not (isinstance(count, int) and isinstance(content, str)):
        raise UserError(
            f"{path} lacks num_images or content_hash: remove it; the run writes it again when it "
            "continues"
        )
    return f"{count:,} images, {content[:12]}"


def _last_line(row: dict[str, object]) -> list[tuple[str, str]]:
    seconds, seen = row["seconds"], row["images_seen"]
    assert isinstance(seconds, int | float)
    assert isinstance(seen, int)
    speed = f"{spell_duration(seconds)}, {seen / max(seconds, 1e-9):.1f} real images/s"
    terms = [f"{k} {v:.3f}" for k, v in row.items() if "/" in k and isinstance(v, float)]
    return [("time", speed), ("terms", "  ".join(terms))]


def _health(layout: RunDirectory, config: RunConfig) -> list[tuple[str, str]]:
    """The verdict of the monitor, a line for each piece of evidence, and its advice."""
    verdict = monitor_directory(layout, config).verdict
    words = f"{verdict.state} since step {verdict.since:,}" if verdict.since else verdict.state
    facts = [("health", words)] + [("", sentence) for sentence in verdict.evidence]
    facts += [("", verdict.advice)] if verdict.advice else []
    return facts + [("healthy", readable(path)) for path in healthy_files(layout)[:1]]


def _files(
    layout: RunDirectory, config: RunConfig, trusted: tuple[str, ...]
) -> list[tuple[str, str]]:
    facts = []
    saved, passed_over = checkpoint.load_newest(layout, trusted)
    facts += [("damaged", sentence) for sentence in passed_over]
    facts.append(("checkpoint", "none yet" if saved is None else f"{readable(saved.path)}, whole"))
    rows = read_metrics(layout)
    name = metric_name(config.evaluate)
    scores = [r for r in rows if r.get("name") == name and isinstance(r.get("value"), float)]
    if scores:
        best = min(scores, key=lambda row: float(str(row["value"])))
        now, least = (f"{row['value']:.3f} at step {row['step']}" for row in (scores[-1], best))
        facts.append(("score", f"{name} {now}; best {least}"))
    newest = layout.newest_sample()
    facts.append(("samples", "none yet" if newest is None else readable(newest)))
    return facts
