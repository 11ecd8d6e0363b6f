"""The discriminator that DCGAN and SNDCGAN share: convolutions without residual blocks."""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from ssgan.models.heads import Heads
from ssgan.types import Images, Labels, Scores

IMAGE_SIZES = (32, 48, 64, 96, 128)  # supported image sizes, in pixels


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
            hidden = F.leaky_relu(conv(hidden), self.leak, inplace=True)
            outputs.append(hidden)
        return outputs

    def block_modules(self) -> list[list[nn.Module]]:
        """The modules of every block, in the order of `block_outputs`: one convolution each."""
        return [[conv] for conv in self.convs]
