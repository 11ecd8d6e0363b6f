"""`ssgan evaluate RUN|IMAGES [--against IMAGES]`: computes FID, KID, precision, recall and more."""

from pathlib import Path

from ssgan.cli.config_args import import_trusted
from ssgan.cli.launching.shared_work import run_shared
from ssgan.cli.measure_options import Evaluate
from ssgan.cli.progress import open_progress_bar
from ssgan.evaluation.format import format_comparison
from ssgan.evaluation.metrics import MetricSettings, parse_metrics
from ssgan.evaluation.results import read_results
from ssgan.evaluation.run import EvaluationRequest, Reporter, check_request, evaluate_images
from ssgan.metrics.resize import ResizeRule
from ssgan.ops.collective import rank
from ssgan.ops.cpu import keep_freed_memory

_REPORTER = Reporter(open_progress_bar, lambda note: print(f"note: {note}"), print)
_SILENT = Reporter(note=lambda note: None, show=lambda text: None)


def main(given: Evaluate) -> int:
    """Evaluate, print the results and write them; returns the exit code."""
    if given.compare:
        results = [result for path in given.images for result in read_results(Path(path))]
        print(format_comparison(results))
        return 0
    (images, *_), request = given.images, _request(given)

    def evaluate() -> None:
        keep_freed_memory()
        evaluate_images(images, request, _SILENT if rank() > 0 else _REPORTER)

    return run_shared(
        ["evaluate", *given.words],
        given.processes,
        given.device,
        check=lambda: check_request(images, request),
        work=evaluate,
    )


def _request(given: Evaluate) -> EvaluationRequest:
    """The options as a request, checked before anything is read."""
    metrics = ",".join(given.metrics)
    return EvaluationRequest(
        against=given.against,
        held_out=given.held_out,
        write_stats=None if given.write_stats is None else Path(given.write_stats),
        count=given.n,
        real_count=given.real_n,
        seeds=given.seeds,
        metrics=None if not metrics or "all" in given.metrics else parse_metrics(metrics),
        metric_settings=MetricSettings(kid_subset_size=given.kid_subset),
        features=given.features,
        weights=given.weights,
        download=given.download,
        rule=None if given.resize is None else ResizeRule(given.resize),
        best=given.best,
        step=given.step,
        refresh=given.refresh,
        size=given.size,
        fit=given.fit,
        out=None if given.out is None else Path(given.out),
        batch=given.batch,
        cache=given.cache,
        verify=given.verify,
        device=given.device,
        trusted_modules=import_trusted(given.trust),
    )
