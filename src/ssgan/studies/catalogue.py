"""All studies: the paper's tables and figures, and four more comparisons."""

from collections.abc import Sequence
from dataclasses import replace

from ssgan.config.check import nearest
from ssgan.studies import published
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
from ssgan.studies.study import Study, StudyScale, on_cifar10, provided_images
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
    paper: published.PublishedTable,
    samples: int = 10_000,  # the paper's, according to a secondary source (docs/data.md)
) -> Study:
    variants = at_128(dataset, *methods)
    return Study(
        name=f"table1-{name}",
        title="Table 1: best FID over seeds, 128 pixels",
        laptop=None,
        paper=provided_images(variants, _DISTANCE, DistanceTable((paper,)), dataset, samples),
    )


_TABLE1 = (
    on_cifar10(
        "table1",
        "Table 1: best FID over seeds, four methods",
        laptop(*_FOUR),
        cifar10(*_FOUR),
        _DISTANCE,
        DistanceTable((published.TABLE1,)),
    ),
    _table1_at_128("imagenet", IMAGENET, _FOUR, published.TABLE1_IMAGENET),
    _table1_at_128("lsun", LSUN, _UNLABELLED, published.TABLE1_LSUN),
    _table1_at_128("celeba-hq", CELEBA_HQ, _UNLABELLED, published.TABLE1_CELEBA_HQ, samples=3000),
)


def table2_grid(recipes: str) -> tuple[AbstractVariant, ...]:
    """Both methods in every row of Table 2, from the recipes of that file."""
    return tuple(
        _table2_variant(recipes, row, method)
        for row in published.TABLE2_ROWS
        for method in ("gan", "ssgan")
    )


def _table2_variant(recipes: str, row: str, method: str) -> AbstractVariant:
    name, group = f"{row}_{method}", published.TABLE2_ROWS[row]
    if (recipes, row) == ("robustness", "sn_b0_n2"):  # the setting of Table 1: its runs are shared
        return replace(cifar10(method)[0], name=name, group=group)
    return Variant(name=name, label=LABELS[method], group=group, recipe=f"{recipes}:{name}")


_TABLE2_TITLE = "Table 2: FID under nine settings, mean and deviation over seeds"
_TABLE2 = (
    on_cifar10(
        "table2",
        _TABLE2_TITLE,
        # the row with the setting of the laptop recipes
        [
            replace(variant, group=published.TABLE2_ROWS["sn_b0_n1"])
            for variant in laptop("gan", "ssgan")
        ],
        table2_grid("robustness"),
        _DISTANCE,
        DistanceTable((published.TABLE2,)),
    ),
    Study(
        name="table2-imagenet",
        title=_TABLE2_TITLE,
        laptop=None,
        paper=provided_images(
            table2_grid("robustness_imagenet"),
            _DISTANCE,
            DistanceTable((published.TABLE2_IMAGENET,)),
        ),
    ),
)

# The paper does not say how the maps of its probes become features. On CIFAR-10 both whole maps
# ("flat") and their means over positions are probed. On ImageNet maps are averaged to at most
# 9,216 numbers ("grid"), as is customary. Probes are fitted by L-BFGS to the minimum; the paper's
# schedule of gradient descent, from memory, is `ssgan probe --solver sgd`.
_WHOLE, _FEW = ("--fractions", "1"), ("--train-n", "10000")
_PROBED = ("gan", "conditional", "rotation_only", "ssgan_sbn")
_TABLES_3_AND_4 = (
    Study(
        name="table3",
        title="Table 3: linear probe of D, block by block",
        laptop=StudyScale(
            variants=laptop("gan", "conditional", "rotation_only", "ssgan", "ssgan_sbn"),
            measurement=ProbeMeasurement("last", ("--pooling", "mean", *_WHOLE, *_FEW)),
            renderer=ProbeTable((published.TABLE3,)),
        ),
        paper=StudyScale(
            variants=cifar10(*_PROBED),
            measurement=ProbeMeasurement("last", ("--pooling", "flat,mean", *_WHOLE)),
            renderer=ProbeTable((published.TABLE3,)),
        ),
    ),
    Study(
        name="table4",
        title="Tables 4 and 5: linear probe of D, block by block",
        laptop=None,
        paper=provided_images(
            at_128(IMAGENET, *_PROBED),
            ProbeMeasurement("last", ("--pooling", "grid,mean", *_WHOLE)),
            ProbeTable((published.TABLE4, published.TABLE5)),
        ),
    ),
)


def _probe_over_training(
    name: str, title: str, methods: Sequence[str], paper: published.PublishedCurves
) -> Study:
    """The probe of D's last block at every stored state, on CIFAR-10 or ImageNet."""
    renderer = ProbeCurves((paper,), lower_is_better=False)
    last_small, last_full = ("--blocks", "3"), ("--blocks", "5")
    return Study(
        name=name,
        title=title,
        laptop=StudyScale(
            variants=laptop(*methods),
            measurement=ProbeMeasurement("all", (*last_small, "--pooling", "mean", *_WHOLE, *_FEW)),
            renderer=renderer,
        ),
        paper=provided_images(
            at_128(IMAGENET, *methods),
            ProbeMeasurement("all", (*last_full, "--pooling", "grid", *_WHOLE)),
            renderer,
        ),
    )


# Whether the published SS-GAN of Figures 2 and 6 has self-modulated batch norm is unknown: its
# curve ends at Table 4's number of SS-GAN (sBN). These studies train SS-GAN without it.
_FIGURE2 = _probe_over_training(
    "figure2",
    "Figure 2: probe of D's last block over training, two methods",
    ("gan", "ssgan"),
    published.FIGURE2,
)
_FIGURE6 = _probe_over_training(
    "figure6",
    "Figure 6: probe of D's last block over training, four methods",
    ("gan", "conditional", "rotation_only", "ssgan"),
    published.FIGURE6,
)


def _forgetting_variants(*overrides: str) -> tuple[AbstractVariant, ...]:
    return (
        ForgettingVariant(name="plain", label="without rotation", rotation=0, overrides=overrides),
        ForgettingVariant(name="rotation", label="with rotation", rotation=1, overrides=overrides),
    )


_FIGURE3 = on_cifar10(
    "figure3",
    "Figure 3: forgetting of a classifier whose task changes",
    # 5 to 8 minutes on one core
    _forgetting_variants("--width", "0.25", "--iterations-per-task", "250"),
    _forgetting_variants("--width", "1"),
    NoMeasurement(),
    ForgettingCurves((published.FIGURE3,)),
)

_FIGURE4_CIFAR10 = DistanceCurves((published.FIGURE4,), lower_is_better=True)
_FIGURE4 = (
    Study(
        name="figure4",
        title="Figure 4: FID over training, four methods",
        # The selection metric that runs log anyway: FD-random, or `-- --evaluate.features NAME`.
        laptop=StudyScale(
            variants=laptop(*_FOUR),
            measurement=NoMeasurement(),
            renderer=SelectionMetricCurves((published.FIGURE4,), lower_is_better=True),
        ),
        paper=StudyScale(
            variants=cifar10(*_FOUR), measurement=_ALL_DISTANCES, renderer=_FIGURE4_CIFAR10
        ),
        # Every stored state against the test images.
        laptop_with_features=StudyScale(
            variants=laptop(*_FOUR), measurement=_ALL_DISTANCES, renderer=_FIGURE4_CIFAR10
        ),
    ),
    Study(
        name="figure4b",
        title="Figure 4b: FID over training, four methods",
        laptop=None,
        paper=provided_images(
            at_128(IMAGENET, *_FOUR),
            _ALL_DISTANCES,
            DistanceCurves((published.FIGURE4B,), lower_is_better=True),
        ),
    ),
)
_FIGURE5 = on_cifar10(
    "figure5",
    "Figure 5: samples of four methods from the same latents",
    laptop(*_FOUR),
    cifar10(*_FOUR),
    SampleMeasurement(),
    SampleSheet((published.FIGURE5,)),
    seeds=1,
)

_LARGE_BATCH = Study(
    name="large-batch",
    title="Large batches: FID of SS-GAN at batch 2048 and 1024, of the GAN at 2048",
    laptop=None,
    paper=provided_images(
        [
            Variant(name=name, label=label, recipe=f"imagenet_large:{recipe}")
            for name, label, recipe in (
                ("batch_2048", "SS-GAN, batch 2048", "ssgan_2048"),
                ("gan_2048", "GAN, batch 2048", "gan_2048"),
                ("batch_1024", "SS-GAN, batch 1024", "ssgan_1024"),
            )
        ],
        DistanceMeasurement(refresh=REFRESH),
        DistanceTable((published.LARGE,)),
        samples=50_000,
    ),
)


def _alphas(ssgan: AbstractVariant) -> list[AbstractVariant]:
    """SS-GAN with three alphas; the baseline is the recipes' 0.2, so its runs are shared."""
    return [
        replace(
            ssgan,
            name=f"alpha_{value}",
            label=f"alpha {value}",
            overrides=ssgan.overrides if value == "0.2" else ("--method.alpha", value),
        )
        for value in ("0.2", "0.5", "1")
    ]


_ALPHA = on_cifar10(
    "alpha",
    "Frechet distance of SS-GAN with three alphas (weights of the rotation loss in G)",
    _alphas(*laptop("ssgan")),
    _alphas(*cifar10("ssgan")),
    _DISTANCE,
    DistanceTable((published.ALPHA,)),
)

_BASELINES = ("ssgan", "gan", "conditional")  # all others are compared with the first


def _successors(suffix: str) -> list[AbstractVariant]:
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


_SUCCESSORS = on_cifar10(
    "successors",
    "Frechet distance of SS-GAN's successors",
    [*laptop(*_BASELINES), *_successors("_laptop")],
    [*cifar10(*_BASELINES), *_successors("")],
    _DISTANCE,
    DistanceTable((published.SUCCESSORS,)),
)


def _precisions(recipe: str) -> list[AbstractVariant]:
    return [
        Variant(name=name, label=name, recipe=recipe, overrides=("--precision", name))
        for name in ("float32", "bfloat16")
    ]


_PRECISION = on_cifar10(
    "precision",
    "Frechet distance of SS-GAN in float32 and bfloat16",
    _precisions("cifar10:ssgan_laptop"),
    _precisions("cifar10:ssgan"),
    _DISTANCE,
    DistanceTable(()),
)

_ALL = (
    *(*_TABLE1, *_TABLE2, *_TABLES_3_AND_4, _FIGURE2, _FIGURE3, *_FIGURE4, _FIGURE5, _FIGURE6),
    *(_LARGE_BATCH, _ALPHA, _SUCCESSORS, _PRECISION),
)
STUDIES: dict[str, Study] = {study.name: study for study in _ALL}


def find_study(name: str) -> Study:
    """The study of that name; UserError with the nearest name when there is none."""
    if name not in STUDIES:
        near = nearest(name, STUDIES)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(STUDIES)}"
        raise UserError(f"no study {name!r}; {hint}")
    return STUDIES[name]
