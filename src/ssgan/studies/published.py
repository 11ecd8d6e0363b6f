"""The paper's numbers, each with its place in it (Chen et al., CVPR 2019, arXiv 1811.11212).

The only copy of these numbers in the package. Tables are as printed. Curves were read off the
figures, to about 0.3 FID on CIFAR-10, 1 FID on ImageNet, and 0.005 of accuracy. Renderers show
them in sections of their own, apart from measured numbers.
"""

from dataclasses import dataclass

from ssgan.recipes.table2 import SETTINGS

UNKNOWN = None  # hidden or beyond the axis


_TITLE = "Published (full width, 100,000 steps, other protocol)"


@dataclass(frozen=True)
class PublishedTable:
    """A table as printed, or a note where no numbers are available."""

    place: str  # its place in the paper, and the metric; or what is known
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    title: str = _TITLE


@dataclass(frozen=True)
class PublishedCurves:
    """Curves read off a figure; None where nothing could be read."""

    place: str
    quantity: str  # of the vertical axis
    steps: tuple[int, ...]
    curves: tuple[tuple[str, tuple[float | None, ...]], ...]
    title: str = _TITLE


Published = PublishedTable | PublishedCurves

_IMAGENET = "Published (ImageNet at full width, 1,000,000 steps, other protocol)"
_AT_128 = "Published (full width, 128 pixels, 100,000 steps by a secondary source, other protocol)"
_METHODS = ("GAN", "conditional GAN", "SS-GAN", "SS-GAN (sBN)")
_WITHOUT_LABELS = ("GAN", "SS-GAN", "SS-GAN (sBN)")

TABLE1 = PublishedTable(
    "Table 1, CIFAR-10: best FID over 3 seeds",
    ("", *_METHODS),
    (("FID", "19.73", "15.60", "17.11", "15.65"),),
)
TABLE1_IMAGENET = PublishedTable(
    "Table 1, ImageNet at 128 pixels: best FID over 3 seeds",
    ("", *_METHODS),
    (("FID", "56.67", "42.07", "47.56", "43.87"),),
    _IMAGENET,
)
TABLE1_LSUN = PublishedTable(
    "Table 1, LSUN-Bedroom at 128 pixels: best FID over 3 seeds",
    ("", *_WITHOUT_LABELS),
    (("FID", "16.02", "13.66", "13.30"),),
    _AT_128,
)
TABLE1_CELEBA_HQ = PublishedTable(
    "Table 1, CelebA-HQ at 128 pixels: best FID over 3 seeds",
    ("", *_WITHOUT_LABELS),
    (("FID", "23.77", "26.11", "24.36"),),
    _AT_128,
)
TABLE2_ROWS = {one.name: one.row for one in SETTINGS}  # a row's name in recipes -> its label
_TABLE2_CELLS = {  # row -> CIFAR-10: GAN, SS-GAN; ImageNet: GAN, SS-GAN
    "gp1_b0_n1": ("121.05 +- 31.44", "25.8 +- 0.71", "183.36 +- 77.21", "80.67 +- 0.43"),
    "gp1_b0_n2": ("28.11 +- 0.66", "26.98 +- 0.54", "85.13 +- 2.88", "83.08 +- 0.38"),
    "gp1_b5_n1": ("78.54 +- 6.23", "25.89 +- 0.33", "104.73 +- 2.71", "91.63 +- 2.78"),
    "gp10_b0_n1": ("188.52 +- 64.54", "28.48 +- 0.68", "227.04 +- 31.45", "85.38 +- 2.7"),
    "gp10_b0_n2": ("29.11 +- 0.85", "27.74 +- 0.73", "227.74 +- 16.82", "80.82 +- 0.64"),
    "gp10_b5_n1": ("117.67 +- 17.46", "25.22 +- 0.38", "242.71 +- 13.62", "144.35 +- 91.4"),
    "sn_b0_n1": ("87.86 +- 3.44", "19.65 +- 0.9", "129.96 +- 6.6", "86.09 +- 7.66"),
    "sn_b0_n2": ("20.24 +- 0.62", "17.88 +- 0.64", "80.05 +- 1.33", "70.64 +- 0.31"),
    "sn_b5_n1": ("86.87 +- 8.03", "18.23 +- 0.56", "201.94 +- 27.28", "99.97 +- 2.75"),
}


def _table2(place: str, columns: slice, title: str = _TITLE) -> PublishedTable:
    rows = tuple((TABLE2_ROWS[row], *cells[columns]) for row, cells in _TABLE2_CELLS.items())
    return PublishedTable(place, ("", "GAN", "SS-GAN"), rows, title)


TABLE2 = _table2("Table 2, CIFAR-10: FID, mean +- std over 3 seeds", slice(0, 2))
TABLE2_IMAGENET = _table2(
    "Table 2, ImageNet at 128 pixels: FID, mean +- std over 3 seeds",
    slice(2, 4),
    "Published (full width, about 100,000 steps as inferred, other protocol)",
)
_PROBED = ("", "GAN", "conditional GAN", "rotation only", "SS-GAN (sBN)")
TABLE3 = PublishedTable(
    "Table 3, CIFAR-10: top-1 of a linear probe, mean of 3 models, standard deviations below 0.01",
    _PROBED,
    (
        ("block 0", "0.719", "0.719", "0.710", "0.721"),
        ("block 1", "0.762", "0.759", "0.749", "0.774"),
        ("block 2", "0.778", "0.776", "0.762", "0.796"),
        ("block 3", "0.776", "0.780", "0.752", "0.799"),
        ("best", "0.778", "0.780", "0.762", "0.799"),
    ),
)
TABLE4 = PublishedTable(
    "Table 4, ImageNet: top-1 of a linear probe, mean of 3 models; standard deviations below 0.01 "
    "except for the GAN, whose runs are unstable",
    _PROBED,
    (
        ("block 0", "0.074", "0.156", "0.147", "0.158"),
        ("block 1", "0.063", "0.187", "0.134", "0.222"),
        ("block 2", "0.073", "0.217", "0.158", "0.250"),
        ("block 3", "0.083", "0.272", "0.202", "0.327"),
        ("block 4", "0.077", "0.253", "0.196", "0.358"),
        ("block 5", "0.074", "0.337", "0.195", "0.383"),
        ("best", "0.083", "0.337", "0.202", "0.383"),
    ),
    _IMAGENET,
)
TABLE5 = PublishedTable(
    "Table 5, ImageNet: top-1 of methods that learn without labels; SS-GAN's is the best block of "
    "Table 4",
    ("", "top-1"),
    (
        ("Context", "0.317"),
        ("BiGAN", "0.310"),
        ("Colorization", "0.326"),
        ("RotNet", "0.387"),
        ("DeepClustering", "0.410"),
        ("SS-GAN (sBN), mean of 3 models", "0.383"),
    ),
    "Published, other self-supervised methods (other protocols)",
)
_FROM_MEMORY = "from memory, not verified"
LARGE = PublishedTable(
    "The large runs on ImageNet at 128 pixels: FID; the first version of the paper says 350,000 "
    "steps on 128 TPU v3 cores",
    ("", "FID", "source"),
    (
        ("SS-GAN, batch 2048, best", "23.4", "the abstract; the batch is from memory"),
        ("SS-GAN, batch 2048, mean of 3 seeds", "23.6 +- 0.1", _FROM_MEMORY),
        ("GAN, batch 2048, mean of 3 seeds", "71.6 +- 66.3", _FROM_MEMORY),
        ("SS-GAN, batch 1024", "33.5", "the first version's text"),
    ),
    "Published (other protocol)",
)
ALPHA = PublishedTable(
    "No numbers: the paper's Table 6, in its appendix, was not available. From memory, not "
    "verified: of 0.2, 0.5 and 1 the best was 1 on CIFAR-10 and 0.2 on ImageNet; 0.2 is used "
    "throughout.",
    title="Published",
)
SUCCESSORS = PublishedTable(
    "networks and protocols differ in every row: rows are not comparable; sources: docs/methods.md",
    ("", "FID", "source"),
    (
        ("SS-GAN", "17.88 +- 0.64", "the paper's ResNet, n_dis 2 (Chen et al. 2019)"),
        ("SSGAN-MS", "11.40", "Dist-GAN's ResNet (Tran et al. 2019, secondary source)"),
        ("SS-GAN", "7.52", "BigGAN's networks (Hou et al. 2021, secondary source)"),
        ("SSGAN-MS", "7.08", "BigGAN's networks (Hou et al. 2021, unverified)"),
        ("SSGAN-LA", "5.87", "BigGAN's networks (Hou et al. 2021, unverified)"),
    ),
    "Published, CIFAR-10 (other protocols)",
)

_WHICH_SSGAN = "whether its SS-GAN has self-modulated batch norm is not known"
_HUNDREDS = tuple(range(100_000, 1_000_001, 100_000))
FIGURE2 = PublishedCurves(
    f"Figure 2, ImageNet: probe of D's last layer, read off;\n{_WHICH_SSGAN}",
    "top-1",
    _HUNDREDS,
    (
        ("GAN", (0.168, 0.216, 0.228, 0.229, 0.224, 0.158, 0.096, 0.144, 0.140, 0.074)),
        ("SS-GAN", (0.233, 0.297, 0.331, 0.354, 0.368, 0.377, 0.381, 0.386, 0.383, 0.383)),
    ),
    _IMAGENET,
)
FIGURE4 = PublishedCurves(
    "Figure 4a, CIFAR-10: mean FID of 3 seeds, read off",
    "FID",
    tuple(range(10_000, 100_001, 10_000)),
    (
        ("GAN", (34.6, 28.2, 26.0, 24.3, 22.4, 22.0, 20.7, 20.5, 20.3, 20.9)),
        ("conditional GAN", (29.8, 23.8, 20.9, 19.0, 17.4, 17.1, 16.6, 16.6, 16.5, 16.4)),
        ("SS-GAN", (34.3, 26.1, 22.1, 20.2, 19.0, 19.4, 18.2, 18.3, 18.2, 17.8)),
        ("SS-GAN (sBN)", (27.3, 21.3, 19.8, 19.4, 18.0, 17.4, 17.1, 16.3, 16.8, 16.5)),
    ),
)
FIGURE4B = PublishedCurves(
    "Figure 4b, ImageNet: mean FID of 3 seeds, read off;\nno number: above 125, beyond the axis",
    "FID",
    _HUNDREDS,
    (
        ("GAN", (78.0, 67.0, 64.0, 63.0, 62.0, UNKNOWN, 117.0, 117.0, 110.0, UNKNOWN)),
        ("conditional GAN", (71.0, 61.0, 56.0, 53.0, 51.0, 49.0, 47.0, 48.0, 46.0, 45.0)),
        ("SS-GAN", (69.5, 60.0, 56.0, 55.0, 52.5, 51.0, 50.0, 49.0, 49.0, 48.0)),
        ("SS-GAN (sBN)", (64.0, 57.0, 53.0, 51.0, 49.0, 48.0, 46.5, 46.0, 45.0, 45.0)),
    ),
    _IMAGENET,
)
FIGURE6 = PublishedCurves(
    f"Figure 6, ImageNet: probe of block 5, mean of 3 seeds, read off;\n{_WHICH_SSGAN}",
    "top-1",
    _HUNDREDS,
    (
        ("GAN", (UNKNOWN, 0.24, 0.25, 0.247, 0.242, 0.168, 0.155, 0.153, 0.15, 0.076)),
        (
            "conditional GAN",
            (0.333, 0.352, 0.353, 0.354, 0.348, 0.346, 0.34, 0.337, 0.332, 0.329),
        ),
        ("rotation only", (0.245, 0.277, 0.286, 0.281, 0.274, 0.27, 0.257, 0.238, 0.218, 0.204)),
        ("SS-GAN", (0.248, 0.311, 0.345, 0.366, 0.377, 0.384, 0.385, 0.388, 0.385, 0.384)),
    ),
    _IMAGENET,
)
FIGURE3 = PublishedTable(
    "Figure 3, CIFAR-10: accuracy of one class against the rest, the class changing every 1,000 "
    "iterations through ten, twice; read off",
    ("", "peaks", "drops at 2,000 and 7,000", "drops at 12,000 and 17,000", "other drops"),
    (
        ("without rotation", "0.83 to 0.84", "0.49 at 2,000", "0.50 at 12,000", "0.60 to 0.71"),
        ("with rotation", "0.87 to 0.88", "0.63 and 0.66", "0.69 and 0.73", "-"),
    ),
    "Published (other network and protocol)",
)
FIGURE5 = PublishedTable(
    "No numbers: Figure 5 shows random samples of the paper's large model of ImageNet at 128 "
    "pixels. The rows above come from other runs; `ssgan study large-batch` has runs of that size.",
    title="Published",
)
