"""All studies: the paper's tables and figures, and four more comparisons."""

from collections.abc import Sequence
from dataclasses import replace

from ssgan.config.nearest import nearest
from ssgan.studies import published as paper
from ssgan.studies.curves import DistanceCurves, ProbeCurves, SelectionMetricCurves
from ssgan.studies.forgetting.curves import ForgettingCurves
from ssgan.studies.measurements import (
    REFRESH,
    DistanceMeasurement,
    NoMeasurement,
    ProbeMeasurement,
    SampleMeasurement,
)
from ssgan.studies.samples import SampleSheet
from ssgan.studies.study import Study, StudyScale, at_both_scales, at_paper_scale
from ssgan.studies.tables import DistanceTable, ProbeTable
from ssgan.studies.variants import (
    CELEBA_HQ,
    IMAGENET,
    LABELS,
    LSUN,
    AbstractVariant,
    ForgettingVariant,
    Variant,
    at_128,
    cifar10,
    laptop,
)
from ssgan.types import UserError

_FOUR = ("gan", "conditional", "ssgan", "ssgan_sbn")
_UNLABELLED = ("gan", "ssgan", "ssgan_sbn")  # LSUN-Bedroom and CelebA-HQ have no labels
_DISTANCE, _ALL_DISTANCES = DistanceMeasurement(), DistanceMeasurement("all")


def _table1_at_128(
    name: str,
    dataset: str,
    methods: Sequence[str],
    published: paper.PublishedTable,
    samples: int = 10_000,  # the paper's, according to a secondary source (docs/data.md)
) -> Study:
    title, variants = "Table 1: best FID over seeds, 128 pixels", at_128(dataset, *methods)
    renderer = DistanceTable((published,))
    return at_paper_scale(f"table1-{name}", title, variants, _DISTANCE, renderer, dataset, samples)


def table2_grid(recipes: str) -> list[AbstractVariant]:
    """Both methods in every row of Table 2, from the recipes of that file."""
    return [
        _table2_variant(recipes, row, method)
        for row in paper.TABLE2_ROWS
        for method in ("gan", "ssgan")
    ]


def _table2_variant(recipes: str, row: str, method: str) -> AbstractVariant:
    name, group = f"{row}_{method}", paper.TABLE2_ROWS[row]
    if (recipes, row) == ("robustness", "sn_b0_n2"):  # the setting of Table 1: its runs are shared
        return replace(cifar10(method)[0], name=name, group=group)
    return Variant(name=name, label=LABELS[method], group=group, recipe=f"{recipes}:{name}")


def _table2_at_laptop_scale() -> list[AbstractVariant]:
    """Both methods in the row with the setting of the laptop recipes."""
    group = paper.TABLE2_ROWS["sn_b0_n1"]
    return [replace(variant, group=group) for variant in laptop("gan", "ssgan")]


def _table2(recipes: str, published: paper.PublishedTable) -> Study:
    title = "Table 2: FID under nine settings, mean and deviation over seeds"
    full, renderer = table2_grid(recipes), DistanceTable((published,))
    if recipes == "robustness_imagenet":
        return at_paper_scale("table2-imagenet", title, full, _DISTANCE, renderer)
    return at_both_scales("table2", title, _table2_at_laptop_scale(), full, _DISTANCE, renderer)


# The paper does not say how the maps of its probes become features. On CIFAR-10 both whole maps
# ("flat") and their means over positions are probed. On ImageNet maps are averaged to at most
# 9,216 numbers ("grid"), as is customary. Probes are fitted by L-BFGS to the minimum; the paper's
# schedule of gradient descent, from memory, is `ssgan probe --solver sgd`.
_PROBED = ("gan", "conditional", "rotation_only", "ssgan_sbn")
_ALL_LABELS = ("--fractions", "1")
_SMALL = ("--pooling", "mean", *_ALL_LABELS, "--train-n", "10000")


def _table3() -> Study:
    renderer = ProbeTable((paper.TABLE3,))
    small = laptop("gan", "conditional", "rotation_only", "ssgan", "ssgan_sbn")
    full = ProbeMeasurement("last", ("--pooling", "flat,mean", *_ALL_LABELS))
    return Study(
        name="table3",
        title="Table 3: linear probe of D, block by block",
        laptop=StudyScale(
            variants=small, measurement=ProbeMeasurement("last", _SMALL), renderer=renderer
        ),
        paper=StudyScale(variants=cifar10(*_PROBED), measurement=full, renderer=renderer),
    )


def _table4() -> Study:
    return at_paper_scale(
        "table4",
        "Tables 4 and 5: linear probe of D, block by block",
        at_128(IMAGENET, *_PROBED),
        ProbeMeasurement("last", ("--pooling", "grid,mean", *_ALL_LABELS)),
        ProbeTable((paper.TABLE4, paper.TABLE5)),
    )


def _probe_over_training(
    name: str, title: str, methods: Sequence[str], published: paper.PublishedCurves
) -> Study:
    """The probe of D's last block at every stored state, on CIFAR-10 or ImageNet.

    Whether the published SS-GAN has self-modulated batch norm is unknown: its curve ends at Table
    4's number of SS-GAN (sBN). The study trains SS-GAN without it.
    """
    renderer = ProbeCurves((published,), lower_is_better=False)
    small = ProbeMeasurement("all", ("--blocks", "3", *_SMALL))
    full = ProbeMeasurement("all", ("--blocks", "5", "--pooling", "grid", *_ALL_LABELS))
    study = at_paper_scale(name, title, at_128(IMAGENET, *methods), full, renderer)
    at_laptop = StudyScale(variants=laptop(*methods), measurement=small, renderer=renderer)
    return replace(study, laptop=at_laptop)


def _forgetting_variants(*overrides: str) -> list[AbstractVariant]:
    return [
        ForgettingVariant(name="plain", label="without rotation", rotation=0, overrides=overrides),
        ForgettingVariant(name="rotation", label="with rotation", rotation=1, overrides=overrides),
    ]


def _figure3() -> Study:
    return at_both_scales(
        "figure3",
        "Figure 3: forgetting of a classifier whose task changes",
        # 5 to 8 minutes on one core
        _forgetting_variants("--width", "0.25", "--iterations-per-task", "250"),
        _forgetting_variants("--width", "1"),
        NoMeasurement(),
        ForgettingCurves((paper.FIGURE3,)),
    )


def _figure4() -> Study:
    """At laptop scale the selection metric that runs log anyway, by --evaluate.features.

    With --features it is the distance of every stored state to the test images instead.
    """
    title, variants = "Figure 4: FID over training, four methods", laptop(*_FOUR)
    curves = DistanceCurves((paper.FIGURE4,), lower_is_better=True)
    logged = SelectionMetricCurves((paper.FIGURE4,), lower_is_better=True)
    study = at_both_scales("figure4", title, variants, cifar10(*_FOUR), _ALL_DISTANCES, curves)
    at_laptop = StudyScale(variants=variants, measurement=NoMeasurement(), renderer=logged)
    return replace(study, laptop=at_laptop, laptop_with_features=study.laptop)


def _figure4b() -> Study:
    curves = DistanceCurves((paper.FIGURE4B,), lower_is_better=True)
    title, variants = "Figure 4b: FID over training, four methods", at_128(IMAGENET, *_FOUR)
    return at_paper_scale("figure4b", title, variants, _ALL_DISTANCES, curves)


def _figure5() -> Study:
    title = "Figure 5: samples of four methods from the same latents"
    small, full, sheet = laptop(*_FOUR), cifar10(*_FOUR), SampleSheet((paper.FIGURE5,))
    study = at_both_scales("figure5", title, small, full, SampleMeasurement(), sheet)
    return replace(study, seeds=1)


def _large_batch() -> Study:
    labels = {  # recipe -> name, label; the first is the baseline
        "ssgan_2048": ("batch_2048", "SS-GAN, batch 2048"),
        "gan_2048": ("gan_2048", "GAN, batch 2048"),
        "ssgan_1024": ("batch_1024", "SS-GAN, batch 1024"),
    }
    return at_paper_scale(
        "large-batch",
        "Large batches: FID of SS-GAN at batch 2048 and 1024, of the GAN at 2048",
        [
            Variant(name=name, label=label, recipe=f"imagenet_large:{recipe}")
            for recipe, (name, label) in labels.items()
        ],
        DistanceMeasurement(refresh=REFRESH),
        DistanceTable((paper.LARGE,)),
        samples=50_000,
    )


def _alphas(ssgan: AbstractVariant) -> list[AbstractVariant]:
    """SS-GAN with three alphas; the baseline is the recipes' 0.2, so its runs are shared."""
    flags = {value: ("--method.alpha", value) for value in ("0.5", "1")}
    return [
        replace(ssgan, name=f"alpha_{value}", label=f"alpha {value}", overrides=overrides)
        for value, overrides in {"0.2": ssgan.overrides, **flags}.items()
    ]


def _alpha() -> Study:
    title = "Frechet distance of SS-GAN with three alphas (weights of the rotation loss in G)"
    small, full = _alphas(*laptop("ssgan")), _alphas(*cifar10("ssgan"))
    return at_both_scales("alpha", title, small, full, _DISTANCE, DistanceTable((paper.ALPHA,)))


def _successor_variants(suffix: str) -> list[AbstractVariant]:
    labels = {
        "annealed": "SS-GAN, alpha to 0",
        "ms": "SSGAN-MS",
        "la": "SSGAN-LA",
        "la_plus": "SSGAN-LA+",
        "s3gan": "S3GAN (10 % of the labels)",
    }
    return [
        Variant(name=name, label=label, recipe=f"successors:{name}{suffix}")
        for name, label in labels.items()
    ]


def _successors() -> Study:
    baselines = ("ssgan", "gan", "conditional")  # all others are compared with the first
    return at_both_scales(
        "successors",
        "Frechet distance of SS-GAN's successors",
        [*laptop(*baselines), *_successor_variants("_laptop")],
        [*cifar10(*baselines), *_successor_variants("")],
        _DISTANCE,
        DistanceTable((paper.SUCCESSORS,)),
    )


def _precision() -> Study:
    title = "Frechet distance of SS-GAN in float32 and bfloat16"
    small, full = (
        [
            Variant(name=name, label=name, recipe=recipe, overrides=("--precision", name))
            for name in ("float32", "bfloat16")
        ]
        for recipe in ("cifar10:ssgan_laptop", "cifar10:ssgan")
    )
    return at_both_scales("precision", title, small, full, _DISTANCE, DistanceTable(()))


_ALL = (
    at_both_scales(
        "table1",
        "Table 1: best FID over seeds, four methods",
        laptop(*_FOUR),
        cifar10(*_FOUR),
        _DISTANCE,
        DistanceTable((paper.TABLE1,)),
    ),
    _table1_at_128("imagenet", IMAGENET, _FOUR, paper.TABLE1_IMAGENET),
    _table1_at_128("lsun", LSUN, _UNLABELLED, paper.TABLE1_LSUN),
    _table1_at_128("celeba-hq", CELEBA_HQ, _UNLABELLED, paper.TABLE1_CELEBA_HQ, samples=3000),
    _table2("robustness", paper.TABLE2),
    _table2("robustness_imagenet", paper.TABLE2_IMAGENET),
    _table3(),
    _table4(),
    _probe_over_training(
        "figure2",
        "Figure 2: probe of D's last block over training, two methods",
        ("gan", "ssgan"),
        paper.FIGURE2,
    ),
    _figure3(),
    _figure4(),
    _figure4b(),
    _figure5(),
    _probe_over_training(
        "figure6",
        "Figure 6: probe of D's last block over training, four methods",
        ("gan", "conditional", "rotation_only", "ssgan"),
        paper.FIGURE6,
    ),
    _large_batch(),
    _alpha(),
    _successors(),
    _precision(),
)
STUDIES: dict[str, Study] = {study.name: study for study in _ALL}


def find_study(name: str) -> Study:
    """The study of that name; UserError with the nearest name when there is none."""
    if name not in STUDIES:
        near = nearest(name, STUDIES)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(STUDIES)}"
        raise UserError(f"no study {name!r}; {hint}")
    return STUDIES[name]
