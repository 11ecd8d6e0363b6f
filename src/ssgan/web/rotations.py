"""Images in all four rotations with D's outputs for each: what the rotation task trains D on."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ssgan.export.model import Model
from ssgan.ops.pixels import from_uint8
from ssgan.ops.rotation import NUM_ROTATIONS, rotated_copies
from ssgan.runs.sampling import to_pixels
from ssgan.web.models import require_discriminator
from ssgan.web.pictures import encode_address
from ssgan.web.run_images import to_batch


def describe_rotations(
    model: Model, pixels: NDArray[np.uint8], names: Sequence[str], labels: Sequence[int | None]
) -> dict[str, Any]:
    """Images uint8 [N, S, S, C] at 0, 90, 180 and 270 degrees, with D's outputs for each.

    A rotation has the logit of "real" and, where the method predicts rotations, the probability
    of each of the four; `right` is the share whose largest is the right one. Raises UserError for
    a state without D.
    """
    require_discriminator(model)
    count = len(pixels)
    upright = from_uint8(to_batch(pixels))
    every = torch.cat([upright, rotated_copies(upright)])
    known = [label or 0 for label in labels] * NUM_ROTATIONS if model.classes else None
    scores = model.logits(every, known)
    method = model.config.method
    shares = None
    if method.predicts_rotation:
        shares = method.rotation_logits(scores.auxiliary.float()).softmax(1)
    pictures = to_pixels(every)
    images = []
    for number, name in enumerate(names):
        rows = range(number, NUM_ROTATIONS * count, count)
        images.append(
            {
                "name": name,
                "rotations": [
                    {
                        "degrees": 90 * place,
                        "picture": encode_address(pictures[row]),
                        "logit": _finite(float(scores.real[row])),
                        "shares": None if shares is None else [*map(_finite, shares[row].tolist())],
                    }
                    for place, row in enumerate(rows)
                ],
            }
        )
    right = None
    if shares is not None:
        wanted = torch.arange(NUM_ROTATIONS).repeat_interleave(count)
        right = float((shares.argmax(1).cpu() == wanted).float().mean())
    return {"images": images, "right": right, "method": type(method).__name__}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
