"""`ssgan evaluate THING --against OTHER`: how good samples are, by numbers with protocols."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from ssgan.cli.arguments import Options, take_options, whole_number
from ssgan.cli.images import bar, fetched, prepared
from ssgan.cli.trust import trusted_modules
from ssgan.data.base import AbstractSource, Preprocessing
from ssgan.data.dataset import Dataset
from ssgan.data.prepare import default_cache
from ssgan.data.scan import readable
from ssgan.evaluation.evaluate import (
    Evaluation,
    EvaluationSettings,
    StoredStatistics,
    check_held_out,
    evaluate,
)
from ssgan.evaluation.feature_networks import (
    NAMES,
    DiscriminatorFeatures,
    choose_features,
    download,
)
from ssgan.evaluation.features import FeatureExtraction, set_protocol
from ssgan.evaluation.format import card, comparison
from ssgan.evaluation.image_sets import GeneratedImages, ImageSet, RealImages
from ssgan.evaluation.inputs import EvaluationInput, common_preprocessing, parse_input
from ssgan.evaluation.metrics import METRICS, Parameters
from ssgan.evaluation.nearest_images import save_nearest_images
from ssgan.evaluation.plan import USUAL_COUNT, EvaluationRequest, plan_evaluation, resolve_count
from ssgan.evaluation.results import read_results, write_results
from ssgan.files.errors import require_writable, translate_file_errors
from ssgan.files.run_directory import find_run_of
from ssgan.metrics.features import AbstractFeatures
from ssgan.metrics.protocol import Statistics, write_statistics
from ssgan.metrics.resize import ResizeRule
from ssgan.ops.cpu import keep_freed_memory
from ssgan.runs.checkpoint import FoundState
from ssgan.runs.precision import resolve_device
from ssgan.types import UserError

USAGE = f"""usage: ssgan evaluate THING --against OTHER [--features NAME] [--n 10000] [--seeds 3]
                      [--metrics all] [--out PATH] ...
       ssgan evaluate THING --write-stats FILE.npz
       ssgan evaluate --compare FILE.jsonl FILE.jsonl ...

  THING          a run directory, a checkpoint file, or images: a folder or a source such as cifar10
  --against      the real images: a folder or a source; or statistics (.npz, pytorch-fid's too)
  --held-out     real images that the run has not seen: the share too close to expect by chance
                 (metric memorisation)
  --features     {", ".join(NAMES)}; by default inception (the FID)
                 where its weights are, else what is installed
  --weights      FILE of Inception's weights, or the RUN whose discriminator is to be used
  --download     fetch Inception's weights (96 MB) once
  --resize       {", ".join(rule.value for rule in ResizeRule)}; for inception, lite0
  --n, --real-n  images of THING (10000) and of OTHER (as many); all, if there are fewer
  --seeds        how often samples are drawn anew, from seeds 0, 1, ... (3)
  --metrics      of {",".join(METRICS)}; all that are possible by default
  --kid-subset   images in each of KID's 100 subsets (1000)
  --best, --step the best state of the run, or that of a step, instead of the newest
  --refresh      compute the statistics of G's batch norms anew from this many samples (204800, in
                 batches of 64, for large networks in the paper's code); by default as trained
  --size         side in pixels at which two sets of images are compared
  --out          a folder, or a .jsonl file, for numbers and the picture of nearest real images
  --write-stats  store the statistics of OTHER (without --against: of THING)
  --batch        images in memory at once (64)        --cache   where features are kept
  --device       auto                                 --compare print stored results in one table
  --trust        modules of your own, by commas, whose classes a run uses; they are imported

Run it again to continue after an interruption.
"""
_VALUED = (
    *("against", "held-out", "features", "weights", "resize", "n", "real-n", "seeds", "metrics"),
    *("kid-subset", "step", "refresh", "size", "out", "write-stats", "batch", "cache", "device"),
    "trust",
)


def main(argv: list[str]) -> int:
    """Measure, print, and write; returns the exit code."""
    options, rest = take_options(argv, _VALUED, ("best", "download", "compare", "help"))
    if options.on("help"):
        print(USAGE, end="")
        return 0
    if options.on("compare"):
        if not rest:
            raise UserError("--compare takes the .jsonl files of evaluations")
        print(comparison([result for path in rest for result in read_results(Path(path))]))
        return 0
    if len(rest) != 1 or rest[0].startswith("-"):
        raise UserError(
            f"evaluate takes one run, checkpoint, folder or source, not {' '.join(rest) or 'none'}"
        )
    asked = _asked(options)
    if asked.against is None and asked.write_stats is None:
        raise UserError("evaluate needs --against SOURCE, FOLDER or STATS.npz")
    for name in ("held-out", "real-n", "metrics"):
        if asked.against is None and options.get(name) is not None:
            raise UserError(f"--{name} is of a measurement: give --against too, or leave it out")
    keep_freed_memory()
    _measure(rest[0], asked, options)
    return 0


@dataclass(frozen=True)
class _Asked:
    """The options, checked before anything is read."""

    against: str | None
    held_out: str | None
    write_stats: Path | None
    wish: EvaluationRequest
    size: int | None
    step: int | None
    refresh: int  # samples; 0: none
    batch: int
    rule: ResizeRule | None
    cache: Path
    trusted: tuple[str, ...]


def _asked(options: Options) -> _Asked:
    def optional(name: str, smallest: int) -> int | None:
        return whole_number(options, name, 0, smallest) or None

    text, stats, rule = options.get("metrics"), options.get("write-stats"), options.get("resize")
    metrics = None if text in (None, "all") else tuple(dict.fromkeys(str(text).split(",")))
    unknown = [name for name in metrics or () if name not in METRICS]
    if unknown:
        raise UserError(f"no metric {unknown[0]!r}; there are {','.join(METRICS)}")
    if metrics is not None and options.get("held-out") is not None:
        check_held_out(metrics)
    rules = {known.value: known for known in ResizeRule}
    if rule is not None and rule not in rules:
        raise UserError(f"no resize rule {rule!r}; there are {', '.join(rules)}")
    if stats is not None and not stats.endswith(".npz"):
        raise UserError(f"--write-stats {stats}: the file's name must end in .npz")
    step = options.get("step")
    return _Asked(
        against=options.get("against"),
        held_out=options.get("held-out"),
        write_stats=None if stats is None else Path(stats),
        wish=EvaluationRequest(
            count=optional("n", 1),
            real_count=optional("real-n", 1),
            seeds=whole_number(options, "seeds", 3, 1, 1000),
            metrics=metrics,
            parameters=Parameters(kid_subset_size=whole_number(options, "kid-subset", 1000, 2)),
        ),
        size=optional("size", 8),
        step=None if step is None else whole_number(options, "step", 0, 0),
        refresh=whole_number(options, "refresh", 0, 1),
        batch=whole_number(options, "batch", 64, 1),
        rule=None if rule is None else rules[rule],
        cache=Path(options.get("cache") or default_cache()),
        trusted=trusted_modules(options),
    )


def _measure(text: str, asked: _Asked, options: Options) -> None:
    thing = parse_input(
        text, best=options.on("best"), step=asked.step, trusted_modules=asked.trusted
    )
    if isinstance(thing, Statistics):
        raise UserError(f"{text} holds statistics; give images or a run, and these by --against")
    other = (
        None if asked.against is None else parse_input(asked.against, trusted_modules=asked.trusted)
    )
    held = (
        None
        if asked.held_out is None
        else parse_input(asked.held_out, trusted_modules=asked.trusted)
    )
    if isinstance(other, FoundState) or isinstance(held, FoundState | Statistics):
        raise UserError("--against and --held-out take images, a run is what is measured")
    if asked.write_stats is not None:
        require_writable(asked.write_stats.parent)
    if other is not None:
        require_writable(_root(thing, options))
    device = resolve_device(options.get("device") or "auto")
    features = _features(thing, options, asked, device)
    fixed = features.shape if isinstance(features, DiscriminatorFeatures) else None
    images = [
        side for side in (thing, other, held) if isinstance(side, FoundState | AbstractSource)
    ]
    preprocessing, remarks = common_preprocessing(images, fixed, asked.size)
    _say(remarks)
    gatherer = FeatureExtraction(
        features=features,
        cache=asked.cache,
        device=device.type,
        batch=asked.batch,
        on_wait=lambda: _say(["waiting: another process makes the same features"]),
    )
    side = _side(text, thing, preprocessing, asked, device)
    real = _real(asked.against, other, preprocessing, asked.cache)
    if asked.write_stats is not None:
        _write_stats(asked.write_stats, side if real is None else real, asked, gatherer)
    if real is None:
        return
    settings, remarks = plan_evaluation(side, real, features, asked.wish)
    _say(remarks)
    if held is not None:
        check_held_out(settings.metrics)
    held_out = None if held is None else RealImages(*_prepared(held, preprocessing, asked.cache))
    found = evaluate(side, real, gatherer, settings, held_out=held_out, bar=bar)
    print(card(found.results))
    _write(_place(thing, features, settings, found, options), found)


def _features(
    thing: FoundState | AbstractSource, options: Options, asked: _Asked, device: torch.device
) -> AbstractFeatures:
    name, weights = options.get("features"), options.get("weights")
    owner = thing.checkpoint if isinstance(thing, FoundState) else None
    if name == "discriminator" and weights is not None:
        opened = parse_input(weights, trusted_modules=asked.trusted)
        if not isinstance(opened, FoundState):
            raise UserError(f"--weights {weights}: a discriminator is in a run or a checkpoint")
        owner, weights = opened.checkpoint, None
    if options.on("download"):
        if name not in (None, "inception") or weights is not None:
            raise UserError("--download fetches Inception's weights; it needs no --weights")
        with bar("downloading", "bytes") as progress:
            download(asked.cache, progress)
    chosen = choose_features(
        name,
        device,
        asked.cache,
        weights=None if weights is None else Path(weights),
        rule=asked.rule,
        discriminator=owner,
    )
    _say(chosen.remarks)
    return chosen.features


def _side(
    text: str,
    thing: FoundState | AbstractSource,
    preprocessing: Preprocessing,
    asked: _Asked,
    device: torch.device,
) -> ImageSet:
    if isinstance(thing, AbstractSource):
        if asked.refresh:
            raise UserError(f"--refresh is of a run's G, and {text} is none")
        return RealImages(*_prepared(thing, preprocessing, asked.cache))
    _say([f"passed over: {sentence}" for sentence in thing.passed_over])
    best = ", best" if thing.checkpoint.path.parent.name == "best" else ""
    name = f"{readable(text)}{best}, step {thing.checkpoint.step}"
    with bar("batch statistics", "samples") as progress:
        return GeneratedImages(name, thing.checkpoint, device, asked.refresh, progress)


def _real(
    text: str | None, other: EvaluationInput | None, preprocessing: Preprocessing, cache: Path
) -> ImageSet | StoredStatistics | None:
    if isinstance(other, Statistics):
        return StoredStatistics(str(text), other)
    return (
        RealImages(*_prepared(other, preprocessing, cache))
        if isinstance(other, AbstractSource)
        else None
    )


def _prepared(
    source: EvaluationInput, preprocessing: Preprocessing, cache: Path
) -> tuple[Dataset, str]:
    assert isinstance(source, AbstractSource)
    return prepared(fetched(source), preprocessing, cache), getattr(source, "split", "all")


def _write_stats(
    path: Path, side: ImageSet | StoredStatistics, asked: _Asked, gatherer: FeatureExtraction
) -> None:
    if isinstance(side, StoredStatistics):
        raise UserError(f"--write-stats {path}: {side.name} holds statistics already")
    option, wished = "--n", asked.wish.count
    if asked.against is not None:
        option, wished = "--real-n", asked.wish.real_count
    count = resolve_count(side, wished, asked.wish.count or USUAL_COUNT, option)
    with bar("images", "images") as progress:
        found = gatherer.gather(side, count, keep=False, remember=True, progress=progress)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_statistics(path, found.moments, set_protocol(gatherer.features, side, count))
    print(f"statistics of {count:,} images of {side.name}: {readable(path)}")


def _place(
    thing: FoundState | AbstractSource,
    features: AbstractFeatures,
    settings: EvaluationSettings,
    found: Evaluation,
    options: Options,
) -> Path:
    """The results' file. By default its name is that of the protocol: equal ones replace it."""
    if (out := options.get("out")) is not None:
        return Path(out) if out.endswith(".jsonl") else Path(out) / "results.jsonl"
    first = found.results[0]
    words: list[object] = [asdict(first.protocol), settings.metrics, asdict(settings.parameters)]
    words += [options.get("held-out"), first.subject_content]
    if first.protocol.content is None:  # statistics of images that are not known
        words.append(first.against)
    key = hashlib.sha256(json.dumps(words).encode()).hexdigest()[:8]
    stem = thing.checkpoint.path.stem if isinstance(thing, FoundState) else "images"
    return _root(thing, options) / f"{stem}-{features.name}-{key}" / "results.jsonl"


def _root(thing: FoundState | AbstractSource, options: Options) -> Path:
    """The folder that all results go into."""
    if (out := options.get("out")) is not None:
        return Path(out).parent if out.endswith(".jsonl") else Path(out)
    if not isinstance(thing, FoundState):
        return Path("evaluation")
    file = thing.checkpoint.path
    return (find_run_of(file) or file.parent) / "evaluation"


def _write(path: Path, found: Evaluation) -> None:
    with translate_file_errors(path):
        write_results(path, found.results)
        print(f"written to {readable(path)}")
        if found.neighbours is not None:
            stem = "neighbours" if path.name == "results.jsonl" else f"{path.stem}-neighbours"
            picture = path.with_name(f"{stem}.png")
            save_nearest_images(picture, found.neighbours)
            print(f"samples, each beside its nearest real images: {readable(picture)}")


def _say(sentences: Sequence[str]) -> None:
    for sentence in sentences:
        print(f"note: {sentence}")
