"""The paper's large runs on ImageNet at 128 pixels, without labels.

The first version of the paper has batch 1024, 350,000 steps and 128 TPU v3 cores. For the second
only the best FID is certain; batch 2048, the same steps and cores are from memory and not verified.
Networks, learning rates, n_dis and the share of rotated images were not found. Our choices:

- networks: BigGAN's without labels, self-modulated batch norm in G, 120 latents split into chunks,
  as in the authors' later TF-Hub module (G 68,612,548 weights, D 86,452,518);
- Adam (1e-4 for G, 5e-4 for D, betas 0 and 0.999), n_dis 2 and the EMA of G, as in the authors'
  code for BigGAN on ImageNet. Its EMA has decay 0.9999 from step 40,000; here the half-life is the
  same, reached by a ramp from step 0;
- a quarter of the batch is rotated, as in every other recipe. On 128 cores the authors' code needs
  a multiple of 512 images in all four rotations: here they are 2,048 and 1,024.

`accumulation` splits a batch into parts, to save memory; the statistics of batch norm then cover
one part. `activation_checkpointing` stores fewer activations and computes them again in backward,
which takes time and does not change results. `imagenet128` has the random crops of ImageNet.

Compute the FID with `ssgan evaluate RUN --refresh 204800`: the authors' settings for BigGAN compute
G's batch statistics from that many samples. `ssgan study large-batch` does this itself.
"""

from dataclasses import replace

from ssgan.methods.gan import GAN
from ssgan.methods.ssgan import SSGAN
from ssgan.models.biggan import BigGANDiscriminator, BigGANGenerator
from ssgan.recipes import imagenet128
from ssgan.runs.config import AdamConfig, EvaluateConfig, OutputConfig, RunConfig


def ssgan_2048() -> RunConfig:
    """SS-GAN at batch 2048: the second version of the paper (CVPR 2019).

        ssgan train imagenet_large:ssgan_2048 --data folder:PATH
        ssgan evaluate RUN --against folder:PATH --n 50000 --refresh 204800

    Published: best FID 23.4 (abstract); 23.6 +- 0.1 over three seeds, from memory and not
    verified; the authors' TF-Hub module has 20.6.
    Cost: 350,000 steps, batch 2048, n_dis 2; D reads 14,848 images a step. Not run at this scale.
    """
    return RunConfig(
        method=SSGAN(),
        data=imagenet128.DATA,
        generator=BigGANGenerator(),
        discriminator=BigGANDiscriminator(),
        total_steps=350_000,
        batch_size=2048,
        discriminator_updates=2,
        generator_optimizer=AdamConfig(learning_rate=1e-4, beta1=0.0, beta2=0.999),
        discriminator_optimizer=AdamConfig(learning_rate=5e-4, beta1=0.0, beta2=0.999),
        ema_halflife_steps=6931.0,  # 0.9999 ** 6931 is a half
        output=OutputConfig(log_every=100, sample_every=5000, checkpoint_every=500),
        evaluate=EvaluateConfig(every=5000),
    )


def gan_2048() -> RunConfig:
    """The unconditional GAN at batch 2048: SS-GAN without the rotation losses.

        ssgan train imagenet_large:gan_2048 --data folder:PATH
        ssgan evaluate RUN --against folder:PATH --n 50000 --refresh 204800

    Published: FID 71.6 +- 66.3 over three seeds, from memory and not verified.
    Cost: 350,000 steps, batch 2048, n_dis 2; D reads 10,240 images a step. Not run at this scale.
    """
    return replace(ssgan_2048(), method=GAN())


def ssgan_1024() -> RunConfig:
    """SS-GAN at batch 1024: the first version of the paper (arXiv, November 2018).

        ssgan train imagenet_large:ssgan_1024 --data folder:PATH
        ssgan evaluate RUN --against folder:PATH --n 50000 --refresh 204800

    Published: FID 33.5 (its text; 33 in its abstract).
    Cost: 350,000 steps, batch 1024, n_dis 2; D reads 7,424 images a step. Not run at this scale.
    """
    return replace(ssgan_2048(), batch_size=1024)
