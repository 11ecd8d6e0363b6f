"""One evaluation from words to files: what `ssgan evaluate` does."""

import hashlib
import json
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from ssgan.data.base import AbstractSource, Fit
from ssgan.data.prepare import default_cache, prepare
from ssgan.evaluation.evaluate import (
    Evaluation,
    EvaluationSettings,
    build_metric_request,
    check_held_out,
    evaluate,
    require_objects,
)
from ssgan.evaluation.feature_networks import (
    INCEPTION,
    DiscriminatorFeatures,
    choose_features,
    download,
)
from ssgan.evaluation.features import (
    FeatureExtraction,
    ProgressBar,
    build_set_protocol,
    no_progress,
)
from ssgan.evaluation.format import format_card
from ssgan.evaluation.image_sets import GeneratedImages, ImageSet, RealImages, StoredStatistics
from ssgan.evaluation.inputs import (
    choose_reference,
    common_preprocessing,
    find_source,
    name_subject,
    parse_input,
)
from ssgan.evaluation.metrics import (
    METRICS,
    NAMEABLE,
    MetricSettings,
    first_names,
    unavailable_reason,
)
from ssgan.evaluation.overlap import (
    describe_authenticity,
    describe_formats,
    describe_generated,
    describe_overlap,
)
from ssgan.evaluation.results import check_replaceable, name_sheet, write_results
from ssgan.files.alpha import straighten
from ssgan.files.errors import require_writable, translate_file_errors
from ssgan.files.image_grid import image_grid, save_png
from ssgan.files.links import refuse_links
from ssgan.files.names import readable
from ssgan.files.own_outputs import refuse_other_picture
from ssgan.metrics.features import AbstractFeatures
from ssgan.metrics.nameable import ObjectClassifier
from ssgan.metrics.protocol import write_statistics
from ssgan.metrics.resize import ResizeRule
from ssgan.ops.collective import rank
from ssgan.runs.builtin import find_home
from ssgan.runs.checkpoint import FoundState
from ssgan.runs.precision import resolve_device
from ssgan.types import UserError

_LOG = logging.getLogger("ssgan")
USUAL_COUNT = 10_000  # images of each set, as in the paper's CIFAR-10 experiments
_ONLY_WITH_REFERENCE = {"held_out": "--held-out", "real_count": "--real-n", "metrics": "--metrics"}


@dataclass(frozen=True, kw_only=True)
class EvaluationRequest:
    """What to evaluate, against what, and how; None is the usual.

    Words name a run, a checkpoint file, a source such as `cifar10`, a folder or statistics (.npz).
    """

    # the reference: images or statistics; None: a run's own held-out images, or
    # none with write_stats or NAMEABLE alone
    against: str | None = None
    held_out: str | None = None  # real images that the run was not trained on
    write_stats: Path | None = None  # .npz for the statistics of the reference, else of the subject
    count: int | None = None  # images of the subject; None: 10,000, or all if there are fewer
    real_count: int | None = None  # images of the reference; None: as many
    seeds: int = 3  # repetitions with other samples of a run
    metrics: tuple[str, ...] | None = None  # None: all that are available
    metric_settings: MetricSettings = MetricSettings()
    features: str | None = None  # None: Inception where its weights are, else what is installed
    weights: str | None = None  # a file for Inception, or the run whose D gives the features
    download: bool = False  # fetch Inception's weights first
    rule: ResizeRule | None = None  # None: the extractor's default
    best: bool = False  # the best state of the run
    step: int | None = None  # the state of this step; None: the newest
    refresh: int = 0  # samples for new statistics of G's batch norms; 0: as trained
    size: int | None = None  # side in pixels at which two sets of images are compared
    fit: Fit | None = None  # how their pictures become squares; None: the run's, or crop
    out: Path | None = None  # a folder or a .jsonl file; None: in the run's directory
    batch: int = 64  # images in memory at once
    cache: Path | None = None  # None: `default_cache()`
    verify: bool = False  # every byte of prepared images first, not only a part of large sets
    device: str = "auto"
    trusted_modules: tuple[str, ...] = ()  # whose classes a run's settings may use

    def __post_init__(self) -> None:
        if self.against is None and self.write_stats is not None:
            for name, option in _ONLY_WITH_REFERENCE.items():
                if getattr(self, name) is not None:
                    raise UserError(f"{option} requires --against")
        if self.metrics is not None:
            check_held_out(self.held_out is not None, self.metrics)
        if self.write_stats is not None and self.write_stats.suffix != ".npz":
            raise UserError(f"--write-stats {self.write_stats}: the file's name must end in .npz")


@dataclass(frozen=True)
class Reporter:
    """Where an evaluation reports to; by default notes go to the log."""

    progress_bar: ProgressBar = no_progress
    note: Callable[[str], None] = _LOG.info
    show: Callable[[str], None] = _LOG.info  # the results as text, and where they were written


def evaluate_images(
    subject: str, request: EvaluationRequest, reporter: Reporter = Reporter()
) -> Evaluation | None:
    """Evaluate a run or a set of images as requested, and write the results beside a sheet.

    Returns None when only statistics were requested. Raises UserError, in one line, for whatever
    cannot be evaluated, before anything is computed where possible.
    """
    return _Session(subject, request, reporter).run()


def check_request(subject: str, request: EvaluationRequest) -> None:
    """Raise UserError for what `evaluate_images` refuses before it reads or generates images."""
    _Session(subject, request, Reporter(note=lambda note: None))


class EvaluationPlan(NamedTuple):
    """What is evaluated, and a sentence for all that may surprise."""

    settings: EvaluationSettings
    notes: list[str]


def plan_evaluation(
    images: ImageSet,
    reference: ImageSet | StoredStatistics,
    features: AbstractFeatures,
    request: EvaluationRequest,
) -> EvaluationPlan:
    """The requested counts and metrics; None is the usual, cut to what is possible.

    Images that cannot be redrawn are evaluated once, whatever the seeds. Raises UserError when
    more images are requested than there are, or no metric is available.
    """
    real_count = request.real_count
    if isinstance(reference, ImageSet):
        usual = request.count or USUAL_COUNT
        real_count = resolve_count(reference, real_count, usual, "--real-n")
    elif real_count is not None:
        raise UserError(
            f"--real-n {real_count}: {reference.name} holds statistics, and no single images"
        )
    settings = EvaluationSettings(
        count=resolve_count(images, request.count, USUAL_COUNT, "--n"),
        real_count=real_count,
        seeds=tuple(range(request.seeds)) if images.redrawable else (0,),
        metrics=request.metrics or METRICS,
        metric_settings=request.metric_settings,
    )
    sizes, notes = build_metric_request(images, reference, features, settings), []
    if request.metrics is None:
        reasons = {name: why for name in METRICS if (why := unavailable_reason(name, sizes))}
        available = tuple(name for name in METRICS if name not in reasons)
        if not available:
            raise UserError(
                f"nothing can be evaluated of {images.name} against {reference.name}: "
                f"{reasons['fd']}"
            )
        settings = replace(settings, metrics=available)
        notes += [f"metric '{name}' is left out: {why}" for name, why in reasons.items()]
    few = sizes.smallest
    if few <= features.size and "fd" in settings.metrics:
        notes.append(
            f"{few:,} images are not more than the {features.size:,} features: the "
            "distance is exact for these images, and far above that of many"
        )
    if isinstance(reference, ImageSet):
        assert settings.real_count is not None
        notes += describe_overlap(images, settings.count, reference, settings.real_count)
        notes += describe_authenticity(images, reference, settings)
    return EvaluationPlan(settings, notes)


def resolve_count(images: ImageSet, requested: int | None, usual: int, option: str) -> int:
    """The requested number of images, which must exist; else the usual, at most all of them."""
    if images.available is None:
        return requested or usual
    if requested is not None and requested > images.available:
        raise UserError(f"{option} {requested}: {images.name} has {images.available} images")
    return requested or min(usual, images.available)


class _Session:
    """The opened words of one request."""

    def __init__(self, subject: str, request: EvaluationRequest, reporter: Reporter) -> None:
        self.request, self.reporter = request, reporter
        self.out = request.out
        if self.out is not None and self.out.suffix != ".jsonl":
            self.out /= "results.jsonl"
        self.cache = request.cache or default_cache()
        parse = partial(parse_input, trusted_modules=request.trusted_modules)
        found = parse(subject, best=request.best, step=request.step)
        if isinstance(found, StoredStatistics):
            raise UserError(f"{subject} holds statistics; give images or a run, and --against it")
        reference = None if request.against is None else parse(request.against)
        if request.against is None and request.metrics == (NAMEABLE,):
            reference = find_source(found)
        elif request.against is None and request.write_stats is None:
            reference, note = choose_reference(found)
            self._note([note])
        held_out = None if request.held_out is None else parse(request.held_out)
        if isinstance(reference, FoundState) or isinstance(held_out, FoundState):
            raise UserError("--against and --held-out expect images, not a run")
        if isinstance(held_out, StoredStatistics):
            raise UserError(f"--held-out expects images, and {held_out.name} holds statistics")
        self.subject, self.reference, self.held_out = found, reference, held_out
        self.name = name_subject(subject, found)
        if request.write_stats is not None:
            require_writable(request.write_stats.parent)
        if reference is not None:
            self._refuse_links(self._folder())
            require_writable(self._folder())
            if self.out is not None:
                check_replaceable(self.out, self.name)
                refuse_other_picture(name_sheet(self.out))
        self.device = resolve_device(request.device)
        self.features = self._features()
        fixed = self.features.shape if isinstance(self.features, DiscriminatorFeatures) else None
        opened = [one for one in (found, reference, held_out) if one is not None]
        self.preprocessing, notes = common_preprocessing(opened, fixed, request.size, request.fit)
        if NAMEABLE in (request.metrics or ()):
            require_objects(find_source(found), self.preprocessing.shape)
        notes += describe_formats(found, reference)
        notes += describe_generated("--against", reference)
        self._note(notes + describe_generated("--held-out", held_out))
        self.extraction = FeatureExtraction(
            features=self.features,
            cache=self.cache,
            device=self.device.type,
            batch=request.batch,
            on_wait=lambda: reporter.note("waiting: another process computes the same features"),
            progress_bar=reporter.progress_bar,
        )

    def run(self) -> Evaluation | None:
        """Everything but the opening."""
        request, images, reference = self.request, self._subject_images(), self.reference
        against = self._prepare(reference) if isinstance(reference, AbstractSource) else reference
        if request.write_stats is not None:
            self._write_statistics(request.write_stats, against or images)
        if against is None:
            return None
        settings, notes = plan_evaluation(images, against, self.features, request)
        self._note(notes)
        held_out = None
        if self.held_out is not None:
            held_out = self._prepare(self.held_out)
            if isinstance(against, ImageSet) and settings.real_count is not None:
                count = min(settings.count, len(held_out.dataset))
                notes = describe_overlap(held_out, count, against, settings.real_count)
                self._note([f"--held-out: {note}" for note in notes])
        found = evaluate(images, against, self.extraction, settings, held_out)
        if rank() > 0:
            return found
        self.reporter.show(format_card(found.results))
        self._write_results(found, settings)
        return found

    def _note(self, sentences: list[str]) -> None:
        for sentence in sentences:
            self.reporter.note(sentence)

    def _features(self) -> AbstractFeatures:
        request, name, weights = self.request, self.request.features, self.request.weights
        owner = self.subject.checkpoint if isinstance(self.subject, FoundState) else None
        if request.metrics == (NAMEABLE,):
            return ObjectClassifier.load(self.device)
        if name == "discriminator" and weights is not None:
            opened = parse_input(weights, trusted_modules=request.trusted_modules)
            if not isinstance(opened, FoundState):
                raise UserError(f"--weights {weights}: a discriminator is in a run or a checkpoint")
            owner, weights = opened.checkpoint, None
        if request.download:
            if name not in (None, *INCEPTION) or weights is not None:
                raise UserError("--download fetches Inception's weights; it needs no --weights")
            with self.reporter.progress_bar("downloading", "bytes") as progress:
                download(self.cache, progress)
        file = None if weights is None else Path(weights)
        features, notes = choose_features(
            name, self.device, self.cache, weights=file, rule=request.rule, discriminator=owner
        )
        self._note(notes)
        return features

    def _subject_images(self) -> ImageSet:
        found, refresh = self.subject, self.request.refresh
        if isinstance(found, AbstractSource):
            if refresh:
                raise UserError(f"--refresh requires a run, and {self.name} is none")
            return self._prepare(found)
        self._note([f"passed over: {sentence}" for sentence in found.passed_over])
        with self.reporter.progress_bar("batch statistics", "samples") as progress:
            return GeneratedImages(self.name, found.checkpoint, self.device, refresh, progress)

    def _prepare(self, source: AbstractSource) -> RealImages:
        with self.reporter.progress_bar("downloading", "bytes") as progress:
            source.fetch(progress)
        with self.reporter.progress_bar("preparing images", "images") as progress:
            dataset = prepare(
                source,
                self.preprocessing,
                self.cache,
                progress,
                verify=self.request.verify,
                on_wait=lambda: self.reporter.note("waiting: another process prepares the same"),
            )
        warnings = dataset.manifest.get("reading_warnings", ())
        self._note([f"{source.name()}: {text}" for text in warnings])
        return RealImages(dataset, getattr(source, "split", "all"))

    def _write_statistics(self, path: Path, images: ImageSet | StoredStatistics) -> None:
        if isinstance(images, StoredStatistics):
            raise UserError(f"--write-stats {path}: {images.name} holds statistics already")
        request, option, requested = self.request, "--n", self.request.count
        if request.against is not None:
            option, requested = "--real-n", request.real_count
        count = resolve_count(images, requested, request.count or USUAL_COUNT, option)
        found = self.extraction.compute(images, count, keep_rows=False, store_moments=True)
        if rank() > 0:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        write_statistics(path, found.moments, build_set_protocol(self.features, images, count))
        self.reporter.show(f"statistics of {count:,} images of {images.name}: {readable(path)}")

    def _folder(self) -> Path:
        """The folder that all results go into."""
        if self.out is not None:
            return self.out.parent
        if not isinstance(self.subject, FoundState):
            return Path("evaluation")
        file = self.subject.checkpoint.path
        return find_home(file) / "evaluation"

    def _refuse_links(self, folder: Path) -> None:
        """Raise UserError for a folder below a run that is a link, unless the user named it."""
        if self.out is None and isinstance(self.subject, FoundState):
            refuse_links(self._folder().parent, folder)

    def _results_file(self, found: Evaluation, settings: EvaluationSettings) -> Path:
        """By default its name is that of the protocol, so that equal results replace each other."""
        if self.out is not None:
            return self.out
        first = found.results[0]
        words: list[object] = [first.protocol.key(), first_names(settings.metrics)]
        words += [asdict(settings.metric_settings), self.request.held_out, first.subject_content]
        if first.protocol.content is None:  # statistics of unknown images
            words.append(first.against)
        key = hashlib.sha256(json.dumps(words).encode()).hexdigest()[:8]
        subject = self.subject
        stem = subject.checkpoint.path.stem if isinstance(subject, FoundState) else "images"
        return self._folder() / f"{stem}-{self.features.name}-{key}" / "results.jsonl"

    def _write_results(self, found: Evaluation, settings: EvaluationSettings) -> None:
        path = self._results_file(found, settings)
        with translate_file_errors(path):
            self._refuse_links(path.parent)
            write_results(path, found.results)
            self.reporter.show(f"written to {readable(path)}")
            if found.nearest is not None:
                sheet, columns = name_sheet(path), found.nearest.shape[1]
                pixels = found.nearest.flatten(0, 1).permute(0, 2, 3, 1).numpy()
                save_png(sheet, image_grid(straighten(pixels), columns))
                self.reporter.show(f"samples with their nearest real images: {readable(sheet)}")
