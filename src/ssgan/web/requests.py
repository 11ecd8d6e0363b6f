"""What the page may ask for: every value has a type and a range; others are refused."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

MOST_SLIDERS, MOST_IMAGES = 8, 400
_LARGEST_SEED = 2**53 - 1  # whole numbers of a browser are exact up to here

Seed = Annotated[int, Field(ge=0, le=_LARGEST_SEED)]
Finite = Annotated[float, Field(ge=-20, le=20, allow_inf_nan=False)]
Truncation = Annotated[float, Field(ge=0.05, le=10, allow_inf_nan=False)]
LabelNumber = Annotated[int, Field(ge=0, lt=2**31)]
HexId = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
StateName = Annotated[str, Field(pattern=r"^(newest|best|(checkpoint|snapshot)-[0-9]{1,18})$")]


class _Strict(BaseModel):
    """A request without unknown names."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Point(_Strict):
    """A place among the latents: a seed, or a projection, moved along principal directions."""

    seed: Seed = 0
    truncation: Truncation | None = None  # of the seed's latents; None: none
    projection: HexId | None = None  # the job that found it, in place of the seed
    offsets: list[Finite] = Field(default=[], max_length=MOST_SLIDERS)


class Spot(_Strict):
    """One image: a point, or a share of the way from it to another, and a class."""

    point: Point
    towards: Point | None = None
    share: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.0  # of the way
    label: LabelNumber | None = None  # None: chosen by the seed, or none


class StateRequest(_Strict):
    """A run and one of its states."""

    run: HexId
    state: StateName = "newest"


class ImageRequest(StateRequest):
    """One image."""

    spot: Spot


class DownloadRequest(StateRequest):
    """Chosen images, in one archive."""

    spots: list[Spot] = Field(min_length=1, max_length=MOST_IMAGES)


class RotationRequest(StateRequest):
    """Images in four rotations: fakes of a seed and later ones, or real images."""

    real: bool = False
    seed: Seed = 0
    count: Annotated[int, Field(ge=1, le=16)] = 6


class MapRequest(StateRequest):
    """D's features of fakes and of real images, as points of a plane."""

    fakes: Annotated[int, Field(ge=0, le=400)] = 200
    reals: Annotated[int, Field(ge=0, le=400)] = 200
    way: Annotated[str, Field(pattern="^(pca|umap)$")] = "pca"


class ComparisonRequest(_Strict):
    """Several runs."""

    runs: list[HexId] = Field(min_length=2, max_length=6)
