"""The heads of a discriminator: linear maps of its last features."""

from jaxtyping import Float
from torch import Tensor, nn

from ssgan.models.layers import Embedding, Linear
from ssgan.types import Labels, Scores


class Heads(nn.Module):
    """The real head and the auxiliary head; both read the same features.

    real head: features -> one logit; with labels, <embedding of the label, features> is added
    (Miyato and Koyama, "cGANs with Projection Discriminator", ICLR 2018).
    auxiliary head: features -> `auxiliary_width` logits; absent when that is 0. It has spectral
    norm whenever the real head has it, which published re-implementations of SS-GAN have missed.
    """

    def __init__(
        self, num_features: int, auxiliary_width: int, num_classes: int, spectral: bool
    ) -> None:
        super().__init__()
        self.real = Linear(num_features, 1, spectral=spectral)
        self.projection: Embedding | None = None
        if num_classes > 0:
            self.projection = Embedding(num_classes, num_features, spectral=spectral)
        self.auxiliary: Linear | None = None
        if auxiliary_width > 0:
            self.auxiliary = Linear(num_features, auxiliary_width, spectral=spectral)

    def forward(self, features: Float[Tensor, "B F"], labels: Labels | None) -> Scores:
        """The logits of both heads; only a projection head reads the labels.

        Raises ValueError when there is a projection head and labels are None.
        """
        real: Tensor = self.real(features).squeeze(1)
        if self.projection is not None:
            if labels is None:
                raise ValueError("a discriminator with a projection head was called without labels")
            real = real + (self.projection(labels) * features).sum(1)
        auxiliary = self.auxiliary(features) if self.auxiliary is not None else features[:, :0]
        return Scores(real, auxiliary, features)
