"""Turn an .npz of JPEG-coded CIFAR-10 images into the folder of the binary edition.

    python benchmarks/unpack_cifar10_jpeg.py IMAGES.npz OUT/cifar-10-batches-bin

The archive holds `classes` (10 names) and, for `train` and `test`, `<split>_bytes` (uint8, all
JPEG files end to end), `<split>_offsets` (N + 1 places in it) and `<split>_labels` (N numbers).
JPEG is lossy: the result is near the published pixels, not equal to them.
"""

import argparse
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

RECORD_BYTES = 1 + 3 * 32 * 32  # a label, then red, green and blue planes row by row
RECORDS_PER_FILE = 10_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("archive", type=Path, help="the .npz of JPEG-coded images")
    parser.add_argument("out", type=Path, help="the folder to write, cifar-10-batches-bin")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    with np.load(arguments.archive, allow_pickle=False) as archive:
        names = [str(name) for name in archive["classes"]]
        train = records(archive, "train")
        test = records(archive, "test")
    for number, first in enumerate(range(0, len(train), RECORDS_PER_FILE), start=1):
        part = train[first : first + RECORDS_PER_FILE]
        (arguments.out / f"data_batch_{number}.bin").write_bytes(part.tobytes())
    (arguments.out / "test_batch.bin").write_bytes(test.tobytes())
    (arguments.out / "batches.meta.txt").write_text("\n".join(names) + "\n")
    print(f"{len(train)} training and {len(test)} test images in {arguments.out}")


def records(archive: "np.lib.npyio.NpzFile", split: str) -> NDArray[np.uint8]:
    """The images of a split as records of the binary edition, [N, 3073]."""
    data, offsets = archive[f"{split}_bytes"].tobytes(), archive[f"{split}_offsets"]
    out = np.empty((len(offsets) - 1, RECORD_BYTES), np.uint8)
    out[:, 0] = archive[f"{split}_labels"]
    for i in range(len(out)):
        with Image.open(io.BytesIO(data[offsets[i] : offsets[i + 1]])) as image:
            pixels = np.asarray(image.convert("RGB"))
        out[i, 1:] = pixels.transpose(2, 0, 1).reshape(-1)
    return out


if __name__ == "__main__":
    main()
