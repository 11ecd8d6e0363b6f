"""All studies: the paper's tables and figures, and four more comparisons."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ssgan.studies import published as paper
from ssgan.studies.figures import DistanceCurves, ProbeCurves, SampleSheet, SelectionMetricCurves
from ssgan.studies.forgetting.curves import ForgettingCurves
from ssgan.studies.measurements import (
    REFRESH,
    AbstractMeasurement,
    DistanceMeasurement,
    NoMeasurement,
    ProbeMeasurement,
    SampleMeasurement,
)
from ssgan.studies.options import Scale
from ssgan.studies.rendering import AbstractRenderer
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
    suggest,
)
from ssgan.types import UserError


@dataclass(frozen=True)
class StudyScale:
    """A study at one scale: variants, what is measured of each run, and how that is rendered."""

    variants: Sequence[AbstractVariant]
    measurement: AbstractMeasurement
    renderer: AbstractRenderer
    data: str | None = "cifar10"  # the default source; None: --data is required
    dataset: str = "CIFAR-10"  # the name of the paper's data set
    samples: int = 10_000  # generated images for a Frechet distance; default of --samples


@dataclass(frozen=True, kw_only=True)
class Study:
    """A table or figure."""

    name: str
    title: str
    laptop: StudyScale | None = None  # None: paper scale only
    paper: StudyScale
    laptop_with_features: StudyScale | None = None  # replaces `laptop` when --features is given
    seeds: int = 3  # training seeds; default of --seeds

    def at_scale(self, scale: Scale, features: str | None = None) -> StudyScale:
        """The study at that scale, with that --features; UserError when it does not exist."""
        if scale == "paper":
            return self.paper
        if features is not None and self.laptop_with_features is not None:
            return self.laptop_with_features
        if self.laptop is None:
            raise UserError(
                f"{self.name} uses {self.paper.dataset} at full width and has no laptop scale: "
                "give --scale paper --data folder:PATH"
            )
        return self.laptop


def find_study(name: str) -> Study:
    """The study of that name; UserError with the nearest name when there is none."""
    if name not in STUDIES:
        raise UserError(f"no study {name!r}; {suggest(name, STUDIES)}")
    return STUDIES[name]


_FOUR = ("gan", "conditional", "ssgan", "ssgan_sbn")
_UNLABELLED = ("gan", "ssgan", "ssgan_sbn")  # LSUN-Bedroom and CelebA-HQ have no labels
_DISTANCE, _ALL_DISTANCES = DistanceMeasurement(), DistanceMeasurement("all")

# The paper does not say how the maps of its probes become features. On CIFAR-10 both whole maps
# ("flat") and their means over positions are probed. On ImageNet maps are averaged to at most
# 9,216 numbers ("grid"), as is customary. Probes are fitted by L-BFGS to the minimum; the paper's
# schedule of gradient descent, from memory, is `ssgan probe --solver sgd`.
_PROBED = ("gan", "conditional", "rotation_only", "ssgan_sbn")
_ALL_LABELS = ("--fractions", "1")
_SMALL = ("--pooling", "mean", *_ALL_LABELS, "--train-n", "10000")


def _on_cifar10(
    name: str,
    title: str,
    small: Sequence[AbstractVariant],
    full: Sequence[AbstractVariant],
    measurement: AbstractMeasurement,
    renderer: AbstractRenderer,
) -> Study:
    """One measurement: of `small` variants at laptop scale, of `full` ones at paper scale."""
    scales = [StudyScale(variants, measurement, renderer) for variants in (small, full)]
    return Study(name=name, title=title, laptop=scales[0], paper=scales[1])


def _embedded(
    name: str,
    title: str,
    variants: Sequence[AbstractVariant],
    measurement: AbstractMeasurement,
    renderer: AbstractRenderer,
) -> Study:
    """On the embedded set, whose only scale is both."""
    scale = StudyScale(variants, measurement, renderer, "objects", "objects")
    return Study(name=name, title=title, laptop=scale, paper=scale)


def _on_imagenet(
    variants: Sequence[AbstractVariant],
    measurement: AbstractMeasurement,
    renderer: AbstractRenderer,
    dataset: str = IMAGENET,
    samples: int = 10_000,
) -> StudyScale:
    """At paper scale on ImageNet, or other images of 128 pixels, which the user provides."""
    return StudyScale(variants, measurement, renderer, None, dataset, samples)


def _table1_at_128(
    name: str,
    dataset: str,
    methods: Sequence[str],
    published: paper.PublishedTable,
    samples: int = 10_000,  # the paper's, according to a secondary source (docs/data.md)
) -> Study:
    table = DistanceTable((published,))
    scale = _on_imagenet(at_128(dataset, *methods), _DISTANCE, table, dataset, samples)
    return Study(name=name, title="Table 1: best FID over seeds, 128 pixels", paper=scale)


def table2_grid(recipes: str) -> list[AbstractVariant]:
    """Both methods in every row of Table 2, from the recipes of that file."""
    variants: list[AbstractVariant] = []
    for row, group in paper.TABLE2_ROWS.items():
        for method in ("gan", "ssgan"):
            name = f"{row}_{method}"
            if (recipes, row) == (
                "robustness",
                "sn_b0_n2",
            ):  # Table 1's setting: its runs are shared
                variants.append(replace(cifar10(method)[0], name=name, group=group))
            else:
                label, recipe = LABELS[method], f"{recipes}:{name}"
                variants.append(Variant(name=name, label=label, group=group, recipe=recipe))
    return variants


def _table2_at_laptop_scale() -> list[AbstractVariant]:
    """Both methods in the row with the setting of the laptop recipes."""
    group = paper.TABLE2_ROWS["sn_b0_n1"]
    return [replace(variant, group=group) for variant in laptop("gan", "ssgan")]


def _probe_over_training(
    name: str, title: str, methods: Sequence[str], published: paper.PublishedCurves
) -> Study:
    """The probe of D's last block at every stored state, on CIFAR-10 or ImageNet.

    Whether the published SS-GAN has self-modulated batch norm is unknown: its curve ends at Table
    4's number of SS-GAN (sBN). The study trains SS-GAN without it.
    """
    curves = ProbeCurves((published,))
    small = ProbeMeasurement("all", ("--blocks", "3", *_SMALL))
    full = ProbeMeasurement("all", ("--blocks", "5", "--pooling", "grid", *_ALL_LABELS))
    return Study(
        name=name,
        title=title,
        laptop=StudyScale(laptop(*methods), small, curves),
        paper=_on_imagenet(at_128(IMAGENET, *methods), full, curves),
    )


def _forgetting_variants(*overrides: str) -> list[AbstractVariant]:
    return [
        ForgettingVariant(name="plain", label="without rotation", rotation=0, overrides=overrides),
        ForgettingVariant(name="rotation", label="with rotation", rotation=1, overrides=overrides),
    ]


def _recipe_variants(labels: dict[str, tuple[str, str]]) -> list[AbstractVariant]:
    """Variants from recipe -> name, label; the first is the baseline."""
    return [
        Variant(name=name, label=label, recipe=recipe) for recipe, (name, label) in labels.items()
    ]


def _alphas(ssgan: AbstractVariant) -> list[AbstractVariant]:
    """SS-GAN with three alphas; the baseline is the recipes' 0.2, so its runs are shared."""
    flags = {value: ("--method.alpha", value) for value in ("0.5", "1")}
    return [
        replace(ssgan, name=f"alpha_{value}", label=f"alpha {value}", overrides=overrides)
        for value, overrides in {"0.2": ssgan.overrides, **flags}.items()
    ]


def _successors(suffix: str) -> list[AbstractVariant]:
    labels = {
        "annealed": "SS-GAN, alpha to 0",
        "ms": "SSGAN-MS",
        "la": "SSGAN-LA",
        "la_plus": "SSGAN-LA+",
        "s3gan": "S3GAN (10 % of the labels)",
    }
    return _recipe_variants(
        {f"successors:{name}{suffix}": (name, label) for name, label in labels.items()}
    )


def _precisions(recipe: str) -> list[AbstractVariant]:
    return [
        Variant(name=name, label=name, recipe=recipe, overrides=("--precision", name))
        for name in ("float32", "bfloat16")
    ]


def _on_objects(*methods: str) -> list[AbstractVariant]:
    return [
        Variant(name=method, label=LABELS[method], recipe=f"objects:{method}") for method in methods
    ]


def _with_updates(variants: Sequence[AbstractVariant], updates: int) -> list[AbstractVariant]:
    """The variants with so many updates of D a step (the recipes have one), as a group."""
    flags = ("--discriminator_updates", str(updates)) if updates > 1 else ()
    return [
        replace(one, name=f"{one.name}_n{updates}", group=f"n_dis {updates}", overrides=flags)
        for one in variants
    ]


_BASELINES = ("ssgan", "gan", "conditional")  # successors are compared with the first
_ALL = (
    _on_cifar10(
        "table1",
        "Table 1: best FID over seeds, four methods",
        laptop(*_FOUR),
        cifar10(*_FOUR),
        _DISTANCE,
        DistanceTable((paper.TABLE1,)),
    ),
    _table1_at_128("table1-imagenet", IMAGENET, _FOUR, paper.TABLE1_IMAGENET),
    _table1_at_128("table1-lsun", LSUN, _UNLABELLED, paper.TABLE1_LSUN),
    _table1_at_128("table1-celeba-hq", CELEBA_HQ, _UNLABELLED, paper.TABLE1_CELEBA_HQ, 3000),
    _on_cifar10(
        "table2",
        "Table 2: FID under nine settings, mean and deviation over seeds",
        _table2_at_laptop_scale(),
        table2_grid("robustness"),
        _DISTANCE,
        DistanceTable((paper.TABLE2,)),
    ),
    Study(
        name="table2-imagenet",
        title="Table 2: FID under nine settings, mean and deviation over seeds",
        paper=_on_imagenet(
            table2_grid("robustness_imagenet"), _DISTANCE, DistanceTable((paper.TABLE2_IMAGENET,))
        ),
    ),
    Study(
        name="table3",
        title="Table 3: linear probe of D, block by block",
        laptop=StudyScale(
            laptop("gan", "conditional", "rotation_only", "ssgan", "ssgan_sbn"),
            ProbeMeasurement("last", _SMALL),
            ProbeTable((paper.TABLE3,)),
        ),
        paper=StudyScale(
            cifar10(*_PROBED),
            ProbeMeasurement("last", ("--pooling", "flat,mean", *_ALL_LABELS)),
            ProbeTable((paper.TABLE3,)),
        ),
    ),
    Study(
        name="table4",
        title="Tables 4 and 5: linear probe of D, block by block",
        paper=_on_imagenet(
            at_128(IMAGENET, *_PROBED),
            ProbeMeasurement("last", ("--pooling", "grid,mean", *_ALL_LABELS)),
            ProbeTable((paper.TABLE4, paper.TABLE5)),
        ),
    ),
    _probe_over_training(
        "figure2",
        "Figure 2: probe of D's last block over training, two methods",
        ("gan", "ssgan"),
        paper.FIGURE2,
    ),
    _on_cifar10(
        "figure3",
        "Figure 3: forgetting of a classifier whose task changes",
        # 5 to 8 minutes on one core
        _forgetting_variants("--width", "0.25", "--iterations-per-task", "250"),
        _forgetting_variants("--width", "1"),
        NoMeasurement(),
        ForgettingCurves((paper.FIGURE3,)),
    ),
    Study(
        name="figure4",
        title="Figure 4: FID over training, four methods",
        # runs log the selection metric anyway, by --evaluate.features
        laptop=StudyScale(laptop(*_FOUR), NoMeasurement(), SelectionMetricCurves((paper.FIGURE4,))),
        laptop_with_features=StudyScale(
            laptop(*_FOUR), _ALL_DISTANCES, DistanceCurves((paper.FIGURE4,))
        ),
        paper=StudyScale(cifar10(*_FOUR), _ALL_DISTANCES, DistanceCurves((paper.FIGURE4,))),
    ),
    Study(
        name="figure4b",
        title="Figure 4b: FID over training, four methods",
        paper=_on_imagenet(
            at_128(IMAGENET, *_FOUR), _ALL_DISTANCES, DistanceCurves((paper.FIGURE4B,))
        ),
    ),
    replace(
        _on_cifar10(
            "figure5",
            "Figure 5: samples of four methods from the same latents",
            laptop(*_FOUR),
            cifar10(*_FOUR),
            SampleMeasurement(),
            SampleSheet((paper.FIGURE5,)),
        ),
        seeds=1,
    ),
    _probe_over_training(
        "figure6",
        "Figure 6: probe of D's last block over training, four methods",
        ("gan", "conditional", "rotation_only", "ssgan"),
        paper.FIGURE6,
    ),
    Study(
        name="large-batch",
        title="Large batches: FID of SS-GAN at batch 2048 and 1024, of the GAN at 2048",
        paper=_on_imagenet(
            _recipe_variants(
                {
                    "imagenet_large:ssgan_2048": ("batch_2048", "SS-GAN, batch 2048"),
                    "imagenet_large:gan_2048": ("gan_2048", "GAN, batch 2048"),
                    "imagenet_large:ssgan_1024": ("batch_1024", "SS-GAN, batch 1024"),
                }
            ),
            DistanceMeasurement(refresh=REFRESH),
            DistanceTable((paper.LARGE,)),
            samples=50_000,
        ),
    ),
    _on_cifar10(
        "alpha",
        "Frechet distance of SS-GAN with three alphas (weights of the rotation loss in G)",
        _alphas(*laptop("ssgan")),
        _alphas(*cifar10("ssgan")),
        _DISTANCE,
        DistanceTable((paper.ALPHA,)),
    ),
    _on_cifar10(
        "successors",
        "Frechet distance of SS-GAN's successors",
        [*laptop(*_BASELINES), *_successors("_laptop")],
        [*cifar10(*_BASELINES), *_successors("")],
        _DISTANCE,
        DistanceTable((paper.SUCCESSORS,)),
    ),
    _on_cifar10(
        "precision",
        "Frechet distance of SS-GAN in float32 and bfloat16",
        _precisions("cifar10:ssgan_laptop"),
        _precisions("cifar10:ssgan"),
        _DISTANCE,
        DistanceTable(()),
    ),
    _embedded(
        "objects",
        "Frechet distance on the embedded set, four methods, one and two updates of D",
        [*_with_updates(_on_objects(*_FOUR), 1), *_with_updates(_on_objects(*_FOUR), 2)],
        _DISTANCE,
        DistanceTable(()),
    ),
    _embedded(
        "objects-probe",
        "Probe of D's last block over training on the embedded set, two methods",
        _on_objects("gan", "ssgan"),
        ProbeMeasurement("all", ("--blocks", "3", *_SMALL)),
        ProbeCurves(()),
    ),
)
STUDIES: dict[str, Study] = {study.name: study for study in _ALL}
