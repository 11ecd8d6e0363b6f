"""`ssgan evaluate THING --against OTHER`: how good samples are, by numbers with protocols."""

from pathlib import Path

from ssgan.cli.arguments import Options, take_options, whole_number
from ssgan.cli.images import bar
from ssgan.cli.trust import trusted_modules
from ssgan.evaluation.feature_networks import NAMES
from ssgan.evaluation.format import format_comparison
from ssgan.evaluation.metrics import METRICS, MetricSettings, parse_metrics
from ssgan.evaluation.results import read_results
from ssgan.evaluation.run import EvaluationRequest, Reporter, evaluate_images
from ssgan.metrics.resize import ResizeRule
from ssgan.ops.cpu import keep_freed_memory
from ssgan.types import UserError

USAGE = f"""usage: ssgan evaluate THING --against OTHER [--features NAME] [--n 10000] [--seeds 3]
                      [--metrics all] [--out PATH] ...
       ssgan evaluate THING --write-stats FILE.npz
       ssgan evaluate --compare FILE.jsonl FILE.jsonl ...

  THING          a run directory, a checkpoint file, or images: a folder or a source such as cifar10
  --against      the real images: a folder or a source; or statistics (.npz, pytorch-fid's too)
  --held-out     real images that the run has not seen: the authenticity to expect by chance
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
        print(format_comparison([result for path in rest for result in read_results(Path(path))]))
        return 0
    if len(rest) != 1 or rest[0].startswith("-"):
        raise UserError(
            f"evaluate takes one run, checkpoint, folder or source, not {' '.join(rest) or 'none'}"
        )
    request = _request(options)
    keep_freed_memory()
    reporter = Reporter(bar, lambda note: print(f"note: {note}"), print)
    evaluate_images(rest[0], request, reporter)
    return 0


def _request(options: Options) -> EvaluationRequest:
    """The options, checked before anything is read."""

    def optional(name: str, smallest: int) -> int | None:
        return whole_number(options, name, 0, smallest) or None

    def path(name: str) -> Path | None:
        return None if options.get(name) is None else Path(str(options.get(name)))

    metrics, rule, step = options.get("metrics"), options.get("resize"), options.get("step")
    rules = {known.value: known for known in ResizeRule}
    if rule is not None and rule not in rules:
        raise UserError(f"no resize rule {rule!r}; there are {', '.join(rules)}")
    return EvaluationRequest(
        against=options.get("against"),
        held_out=options.get("held-out"),
        write_stats=path("write-stats"),
        count=optional("n", 1),
        real_count=optional("real-n", 1),
        seeds=whole_number(options, "seeds", 3, 1, 1000),
        metrics=None if metrics in (None, "all") else parse_metrics(str(metrics)),
        metric_settings=MetricSettings(
            kid_subset_size=whole_number(options, "kid-subset", 1000, 2)
        ),
        features=options.get("features"),
        weights=options.get("weights"),
        download=options.on("download"),
        rule=None if rule is None else rules[rule],
        best=options.on("best"),
        step=None if step is None else whole_number(options, "step", 0, 0),
        refresh=whole_number(options, "refresh", 0, 1),
        size=optional("size", 8),
        out=path("out"),
        batch=whole_number(options, "batch", 64, 1),
        cache=path("cache"),
        device=options.get("device") or "auto",
        trusted_modules=trusted_modules(options),
    )
