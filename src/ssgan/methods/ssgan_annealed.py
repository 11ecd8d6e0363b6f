"""SS-GAN with alpha going to 0 as the run goes on.

    L_D =  V_D  -  beta      E_{x ~ data} E_r [ log Q_D(r | x^r) ]
    L_G =  V_G  -  alpha(p)  E_{x ~ G}    E_r [ log Q_D(r | x^r) ]
    alpha(p) = alpha + (final_alpha - alpha) p,  p the share of the run that is done

With alpha > 0 the best G need not make the data's distribution: it gains by images whose turn is
easy to tell (Tran et al. 2019, Hou et al. 2021). At alpha 0 only the game is left to G.
"""

from dataclasses import dataclass, replace

from ssgan.methods.base import check_weights
from ssgan.methods.ssgan import SSGAN


@dataclass(frozen=True, kw_only=True)
class AnnealedSSGAN(SSGAN):
    """SS-GAN at every step, with the alpha of that step; `alpha` is the one at the start."""

    final_alpha: float = 0.0  # alpha at the end of the run, at least 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_weights(alpha=self.alpha, beta=self.beta, final_alpha=self.final_alpha)

    def at(self, progress: float) -> "AnnealedSSGAN":
        """SS-GAN with the alpha of this share of the run; it does not change any more."""
        alpha = self.alpha + (self.final_alpha - self.alpha) * progress
        return replace(self, alpha=alpha, final_alpha=alpha)
