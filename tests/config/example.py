"""A small config with every form a setting can take."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple

from ssgan.config.serialize import Aliases
from ssgan.types import UserError


class Shape(NamedTuple):
    channels: int  # colours
    size: int  # side in pixels


@dataclass(frozen=True, kw_only=True)
class Norm(ABC):
    momentum: float = 0.9  # share of the old average kept, in [0, 1)

    @abstractmethod
    def name(self) -> str: ...


@dataclass(frozen=True, kw_only=True)
class BatchNorm(Norm):
    scale: float = 1.0

    def name(self) -> str:
        return "batch"


@dataclass(frozen=True, kw_only=True)
class ModulatedNorm(Norm):
    hidden: int = 32  # width
    scale: Literal["none", "unit"] = "unit"

    def name(self) -> str:
        return "modulated"


@dataclass(frozen=True, kw_only=True)
class StillAbstract(Norm):
    """Leaves `name` open, so it cannot be built."""


@dataclass(frozen=True, kw_only=True)
class AlsoAbstract(Norm, ABC):
    """Could be built, but says that it is a base."""

    def name(self) -> str:
        return "base"


Alias = BatchNorm  # a second name, which is no kind


class Source(ABC):  # noqa: B024
    """An abstract class that is no dataclass itself."""


@dataclass(frozen=True, kw_only=True)
class Folder(Source):
    path: Path  # where the images are


@dataclass(frozen=True, kw_only=True)
class Noise(Source):
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Method(ABC):
    beta: float = 1.0  # weight of the second term

    @abstractmethod
    def width(self) -> int: ...


@dataclass(frozen=True, kw_only=True)
class Plain(Method):
    def width(self) -> int:
        return 0


@dataclass(frozen=True, kw_only=True)
class Turned(Method):
    fixed: ClassVar[int] = 4
    alpha: float = 0.2  # weight of the first term,
    #                     which is continued here

    # share of the batch
    # in (0, 1]
    fraction: float = 0.25

    def __post_init__(self) -> None:
        if not 0 < self.fraction <= 1:
            raise UserError(f"fraction must be in (0, 1], not {self.fraction}")
        if self.alpha < 0:
            raise ValueError("a weight is at least 0")

    def width(self) -> int:
        return 4  # not a comment of a setting


@dataclass(frozen=True, kw_only=True)
class Network:
    width: int = 64  # channels
    norm: Norm = BatchNorm()
    extra: Norm | None = None  # a second norm; None: there is none


@dataclass(frozen=True, kw_only=True)
class Run:
    """A whole run."""

    method: Method  # what is minimised
    source: Source
    network: Network = Network()
    shape: Shape = Shape(3, 32)  # of every image
    batch_size: int = 64
    seconds: float | None = None  # when to stop; None: never
    widths: tuple[int, ...] = (1, 2)
    background: tuple[int, int, int] = (255, 255, 255)
    label: str = "x"
    fit: Literal["crop", "pad"] = "crop"
    fixed_order: bool = False
    methods: tuple[Method, ...] = ()

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise UserError(f"batch_size must be at least 1, not {self.batch_size}")


def example() -> Run:
    return Run(method=Turned(), source=Folder(path=Path("a/b")), methods=(Plain(), Turned()))


ALIASES = Aliases(
    kinds={
        "tests.config.example:Rotated": "tests.config.example:Turned",
        "tests.former": "tests",
        "tests.former.images": "tests.config.example",
        "tests.former.images:Random": "tests.config.example:Noise",
    },
    fields={
        "tests.config.example:Run": {"batch": "batch_size", "images": "batch_size", "crop": "fit"},
        "tests.config.example:Method": {"weight": "beta"},
        "tests.config.example:Turned": {"share": "fraction"},
        "tests.config.example:Network": {"channels": "width", "normalisation": "norm"},
    },
    values={"tests.config.example:Run": {"fit": {"cut": "crop", "border": "pad"}}},
)
