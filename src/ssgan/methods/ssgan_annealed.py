"""SS-GAN with annealed alpha, the weight of the rotation loss of G.

    L_D =  V_D  -  beta      E_{x ~ data} E_r [ log Q_D(r | x^r) ]
    L_G =  V_G  -  alpha(p)  E_{x ~ G}    E_r [ log Q_D(r | x^r) ]
    alpha(p) = alpha + (final_alpha - alpha) p,  p the fraction of the run that is done

With alpha > 0 the optimal G need not match the data distribution: images whose rotation is easy to
predict lower its loss (Tran et al. 2019, Hou et al. 2021). With alpha 0, L_G is V_G alone.
"""

from dataclasses import dataclass, replace

from ssgan.methods.base import check_weights
from ssgan.methods.ssgan import SSGAN


@dataclass(frozen=True, kw_only=True)
class AnnealedSSGAN(SSGAN):
    """SS-GAN whose alpha changes linearly from `alpha` to `final_alpha`."""

    final_alpha: float = 0.0  # alpha at the end of the run, at least 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_weights(alpha=self.alpha, beta=self.beta, final_alpha=self.final_alpha)

    def at(self, progress: float) -> "AnnealedSSGAN":
        """SS-GAN with the alpha of this fraction of the run, which is constant from here on."""
        alpha = self.alpha + (self.final_alpha - self.alpha) * progress
        return replace(self, alpha=alpha, final_alpha=alpha)
