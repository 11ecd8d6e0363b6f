"""What a discriminator says, from its last features."""

from jaxtyping import Float
from torch import Tensor, nn

from ssgan.models.layers import Embedding, Linear
from ssgan.types import Labels, Scores


class Heads(nn.Module):
    """The two linear heads of a discriminator, both reading the same features.

    real head: features -> one logit, plus <embedding of the label, features> with labels
    (Miyato and Koyama, "cGANs with Projection Discriminator", ICLR 2018).
    auxiliary head: features -> `auxiliary_width` logits; none when that is 0. It is spectrally
    normed when the real head is, which published re-implementations of SS-GAN have missed.
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
        """Both heads' logits; labels are read by a projection head alone.

        Raises ValueError when there is a projection head and labels are None.
        """
        real: Tensor = self.real(features).squeeze(1)
        if self.projection is not None:
            if labels is None:
                raise ValueError("a discriminator with a projection head was called without labels")
            real = real + (self.projection(labels) * features).sum(1)
        auxiliary = self.auxiliary(features) if self.auxiliary is not None else features[:, :0]
        return Scores(real, auxiliary, features)
