"""`ssgan evaluate RUN|IMAGES --against IMAGES`: computes FID, KID, precision, recall and more."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from ssgan.cli.config_args import import_trusted
from ssgan.cli.measure_options import Evaluate
from ssgan.cli.preparation import fetch_source, open_progress_bar, prepare_images
from ssgan.config.nearest import nearest
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
from ssgan.evaluation.feature_networks import DiscriminatorFeatures, choose_features, download
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
from ssgan.runs.opening import FoundState
from ssgan.runs.precision import resolve_device
from ssgan.types import UserError


def main(options: Evaluate) -> int:
    """Measure, print, and write; returns the exit code."""
    if options.compare:
        results = [result for path in options.images for result in read_results(Path(path))]
        print(comparison(results))
        return 0
    request = _request(options)
    keep_freed_memory()
    _measure(options, request)
    return 0


@dataclass(frozen=True)
class _Request:
    """What the options ask for, checked before anything is read."""

    wish: EvaluationRequest
    rule: ResizeRule | None
    cache: Path
    trusted: tuple[str, ...]


def _request(options: Evaluate) -> _Request:
    metrics = None if "all" in options.metrics else tuple(dict.fromkeys(options.metrics)) or None
    unknown = [name for name in metrics or () if name not in METRICS]
    if unknown:
        near = nearest(unknown[0], METRICS)
        hint = f"did you mean {near[0]}?" if near else f"there are {','.join(METRICS)}"
        raise UserError(f"no metric {unknown[0]!r}; {hint}")
    if metrics is not None and options.held_out is not None:
        check_held_out(metrics)
    rules = {known.value: known for known in ResizeRule}
    if options.resize is not None and options.resize not in rules:
        raise UserError(f"no resize rule {options.resize!r}; there are {', '.join(rules)}")
    return _Request(
        wish=EvaluationRequest(
            count=options.n,
            real_count=options.real_n,
            seeds=options.seeds,
            metrics=metrics,
            parameters=Parameters(kid_subset_size=options.kid_subset),
        ),
        rule=None if options.resize is None else rules[options.resize],
        cache=options.cache or default_cache(),
        trusted=import_trusted(options.trust),
    )


def _measure(options: Evaluate, request: _Request) -> None:
    (text,), trusted = options.images, request.trusted
    thing = parse_input(text, best=options.best, step=options.step, trusted_modules=trusted)
    if isinstance(thing, Statistics):
        raise UserError(f"{text} holds statistics: give images or a run, and these by --against")
    other, held = (
        None if name is None else parse_input(name, trusted_modules=trusted)
        for name in (options.against, options.held_out)
    )
    if isinstance(other, FoundState) or isinstance(held, FoundState | Statistics):
        raise UserError("--against and --held-out expect images, not a run")
    if options.write_stats is not None:
        require_writable(Path(options.write_stats).parent)
    if other is not None:
        require_writable(_root(thing, options))
    device = resolve_device(options.device)
    features = _features(thing, options, request, device)
    fixed = features.shape if isinstance(features, DiscriminatorFeatures) else None
    images = [
        side for side in (thing, other, held) if isinstance(side, FoundState | AbstractSource)
    ]
    preprocessing, notes = common_preprocessing(images, fixed, options.size)
    _print_notes(notes)
    gatherer = FeatureExtraction(
        features=features,
        cache=request.cache,
        device=device.type,
        batch=options.batch,
        on_wait=lambda: _print_notes(["waiting: another process extracts the same features"]),
    )
    side = _side(text, thing, preprocessing, options, request, device)
    real = _real(options.against, other, preprocessing, request.cache)
    if options.write_stats is not None:
        _write_stats(side if real is None else real, options, gatherer)
    if real is None:
        return
    settings, notes = plan_evaluation(side, real, features, request.wish)
    _print_notes(notes)
    if held is not None:
        check_held_out(settings.metrics)
    held_out = None if held is None else RealImages(*_prepare(held, preprocessing, request.cache))
    found = evaluate(side, real, gatherer, settings, held_out=held_out, bar=open_progress_bar)
    print(card(found.results))
    _write(_place(thing, features, settings, found, options), found)


def _features(
    thing: FoundState | AbstractSource, options: Evaluate, request: _Request, device: torch.device
) -> AbstractFeatures:
    name, weights = options.features, options.weights
    owner = thing.checkpoint if isinstance(thing, FoundState) else None
    if name == "discriminator" and weights is not None:
        opened = parse_input(weights, trusted_modules=request.trusted)
        if not isinstance(opened, FoundState):
            raise UserError(
                f"--weights {weights} holds no discriminator: give a run or a checkpoint"
            )
        owner, weights = opened.checkpoint, None
    if options.download:
        if name not in (None, "inception") or weights is not None:
            raise UserError("--download is for --features inception without --weights")
        with open_progress_bar("downloading", "bytes") as progress:
            download(request.cache, progress)
    chosen = choose_features(
        name,
        device,
        request.cache,
        weights=None if weights is None else Path(weights),
        rule=request.rule,
        discriminator=owner,
    )
    _print_notes(chosen.remarks)
    return chosen.features


def _side(
    text: str,
    thing: FoundState | AbstractSource,
    preprocessing: Preprocessing,
    options: Evaluate,
    request: _Request,
    device: torch.device,
) -> ImageSet:
    if isinstance(thing, AbstractSource):
        if options.refresh:
            raise UserError(f"--refresh requires a run, and {text} is not one")
        return RealImages(*_prepare(thing, preprocessing, request.cache))
    _print_notes([f"passed over: {sentence}" for sentence in thing.passed_over])
    best = ", best" if thing.checkpoint.path.parent.name == "best" else ""
    name = f"{readable(text)}{best}, step {thing.checkpoint.step}"
    with open_progress_bar("batch statistics", "samples") as progress:
        return GeneratedImages(name, thing.checkpoint, device, options.refresh, progress)


def _real(
    text: str | None, other: EvaluationInput | None, preprocessing: Preprocessing, cache: Path
) -> ImageSet | StoredStatistics | None:
    if isinstance(other, Statistics):
        return StoredStatistics(str(text), other)
    return (
        RealImages(*_prepare(other, preprocessing, cache))
        if isinstance(other, AbstractSource)
        else None
    )


def _prepare(
    source: EvaluationInput, preprocessing: Preprocessing, cache: Path
) -> tuple[Dataset, str]:
    assert isinstance(source, AbstractSource)
    return prepare_images(fetch_source(source), preprocessing, cache), getattr(
        source, "split", "all"
    )


def _write_stats(
    side: ImageSet | StoredStatistics, options: Evaluate, gatherer: FeatureExtraction
) -> None:
    path = Path(str(options.write_stats))
    if isinstance(side, StoredStatistics):
        raise UserError(f"--write-stats {path}: {side.name} holds statistics already")
    name, wished = "--n", options.n
    if options.against is not None:
        name, wished = "--real-n", options.real_n
    count = resolve_count(side, wished, options.n or USUAL_COUNT, name)
    with open_progress_bar("images", "images") as progress:
        found = gatherer.gather(side, count, keep=False, remember=True, progress=progress)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_statistics(path, found.moments, set_protocol(gatherer.features, side, count))
    print(f"statistics of {count:,} images of {side.name}: {readable(path)}")


def _place(
    thing: FoundState | AbstractSource,
    features: AbstractFeatures,
    settings: EvaluationSettings,
    found: Evaluation,
    options: Evaluate,
) -> Path:
    """The file of results. Its default name is made from the protocol: equal ones replace it."""
    if (out := options.out) is not None:
        return Path(out) if out.endswith(".jsonl") else Path(out) / "results.jsonl"
    first = found.results[0]
    words: list[object] = [asdict(first.protocol), settings.metrics, asdict(settings.parameters)]
    words += [options.held_out, first.subject_content]
    if first.protocol.content is None:  # statistics of unknown images
        words.append(first.against)
    key = hashlib.sha256(json.dumps(words).encode()).hexdigest()[:8]
    stem = thing.checkpoint.path.stem if isinstance(thing, FoundState) else "images"
    return _root(thing, options) / f"{stem}-{features.name}-{key}" / "results.jsonl"


def _root(thing: FoundState | AbstractSource, options: Evaluate) -> Path:
    """The folder for all results."""
    if (out := options.out) is not None:
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
            print(f"samples beside their nearest real images: {readable(picture)}")


def _print_notes(sentences: Sequence[str]) -> None:
    for sentence in sentences:
        print(f"note: {sentence}")
