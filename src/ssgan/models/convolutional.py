"""Plain convolutional networks, without residual blocks: what DCGAN and SNDCGAN share."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from ssgan.models.base import AbstractDiscriminatorConfig, AbstractGeneratorConfig, check_width
from ssgan.models.heads import Heads
from ssgan.models.norms import AbstractNorm, BatchNorm
from ssgan.types import Images, Labels, Scores

IMAGE_SIZES = (32, 48, 64, 128)  # supported image sizes, in pixels


@dataclass(frozen=True, kw_only=True)
class AbstractConvolutionalGenerator(AbstractGeneratorConfig):
    """A family of convolutional generators. They have no spectral norm."""

    width: float = 1.0  # multiplies the number of channels in every layer
    norm: AbstractNorm = BatchNorm()  # on the maps; sndcgan's flat vector keeps plain batch norm

    def __post_init__(self) -> None:
        check_width(self.width)

    @property
    def reads_labels(self) -> bool:
        """Whether the norm reads labels."""
        return self.norm.reads_labels


@dataclass(frozen=True, kw_only=True)
class AbstractConvolutionalDiscriminator(AbstractDiscriminatorConfig):
    """A family of convolutional discriminators. They have no norm."""

    width: float = 1.0  # multiplies the number of channels in every layer, and of features
    spectral: bool = True  # spectral norm on every layer, including the heads

    def __post_init__(self) -> None:
        check_width(self.width)


class ConvolutionalDiscriminatorNetwork(nn.Module):
    """Convolutions, each followed by a leaky ReLU; the heads read the flattened last map."""

    def __init__(
        self, convs: list[nn.Module], heads: Heads, leak: float, unit_range: bool = False
    ) -> None:
        super().__init__()
        self.convs, self.heads = nn.ModuleList(convs), heads
        self.leak = leak  # slope of the leaky ReLU below 0
        self.unit_range = unit_range  # whether the convolutions read images in [0, 1]

    def forward(self, images: Images, labels: Labels | None = None) -> Scores:
        """Scores of images in [-1, 1]; only a projection head reads the labels."""
        last = self.block_outputs(images)[-1]
        flat = last.permute(0, 2, 3, 1).flatten(1)  # no copy in channels-last memory
        scores: Scores = self.heads(flat, labels)
        return scores

    def block_outputs(self, images: Images) -> list[Float[Tensor, "B _ _ _"]]:
        """The map after every convolution and its leaky ReLU, in order."""
        outputs = []
        hidden = (images + 1) / 2 if self.unit_range else images
        for conv in self.convs:
            hidden = F.leaky_relu(conv(hidden), self.leak)
            outputs.append(hidden)
        return outputs
