"""The options of the verbs that write and read models: `ssgan export` and `ssgan import`."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ssgan.cli.options import Options
from ssgan.cli.parser import UsageError, argument, option


@dataclass(frozen=True, kw_only=True)
class Export(Options):
    """Write a model for other programs: safetensors, ONNX, pt2, or a folder for the Hub.

    Every file is loaded again without ssgan and compared; one that differs is not written.
    """

    # a run directory, a checkpoint, a model's file, builtin:NAME, or OWNER/NAME of the Hub
    run: Path = argument(Path(), "RUN", required=True)
    # safetensors: for ssgan.load; onnx: also in float16, and as a page for a browser; pt2: for
    # torch.export; hub: safetensors and onnx with a card and samples; all: all of these
    to: Literal["safetensors", "onnx", "pt2", "hub", "all"] = "safetensors"
    # where to write; it replaces an earlier export, and no other files
    out: Path | None = option(None, "DIR", default_text="RUN/export")
    # use the generator with the best score, not the newest; it comes without D
    best: bool = False
    # licence of the weights for the card, such as apache-2.0 or cc-by-4.0
    license: str = option("unknown", "ID")
    # upload to this repository of the Hub, with the token of `hf auth login`
    push: str | None = option(None, "OWNER/NAME")
    # make the repository private, if it is new
    private: bool = False
    # the npm package onnxruntime-web in a folder: browser.html then runs without a server
    web_runtime: Path | None = option(None, "DIR")
    # print what would be written and uploaded; write nothing and connect nowhere
    dry_run: bool = False
    trust: tuple[str, ...] = option((), "MODULE")

    def __post_init__(self) -> None:
        if self.push is not None and self.to not in ("hub", "all"):
            raise UsageError("--push needs --to hub or --to all, which write a card")
        if self.private and self.push is None:
            raise UsageError("--private needs --push OWNER/NAME")
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.+-]*", self.license):
            raise UsageError(f"--license {self.license!r} must be an identifier like apache-2.0")


@dataclass(frozen=True, kw_only=True)
class Import(Options):
    """Read the weights of another program into a model's file.

    It reads netG and netD of torch-mimicry (.pth) and variables of compare_gan (.npz). The file can
    be sampled, evaluated and exported, and a run can begin with it: ssgan train --init.
    """

    # netG_*_steps.pth of torch-mimicry's SNGAN, SSGAN or cGAN-PD, or variables of compare_gan by
    # their names in an .npz file
    file: Path = argument(Path(), "FILE", required=True)
    # netD_*_steps.pth of the same run
    discriminator: Path | None = option(None, "FILE.pth", default_text="none: D is left out")
    # where to write; it replaces an earlier model, and no other file
    out: Path | None = option(None, "OUT.safetensors", default_text="FILE.safetensors")

    def __post_init__(self) -> None:
        if self.out is not None and self.out.suffix != ".safetensors":
            raise UsageError(f"--out {self.out}: the name must end in .safetensors")
        if self.discriminator is not None and self.file.suffix == ".npz":
            raise UsageError("--discriminator is for .pth files; an .npz file has both networks")
