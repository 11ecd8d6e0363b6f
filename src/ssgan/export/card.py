"""The card of an exported model: what it is, how it was measured, how to use it.

It names no path of the machine: of data in files, only what kind they are.
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from ssgan.config.serialize import flatten
from ssgan.evaluation.format import format_value
from ssgan.evaluation.image_sets import GeneratedImages
from ssgan.evaluation.results import Result, read_results
from ssgan.files.image_grid import find_stretched
from ssgan.files.jsonl import NUMBER_OR_NULL, TEXT, WHOLE, read
from ssgan.files.names import printable
from ssgan.files.run_directory import RunDirectory, find_run_of
from ssgan.runs.checkpoint import Checkpoint
from ssgan.runs.hub import MODEL_FILE
from ssgan.runs.model_file import StoredModel, describe_model

NO_LICENSE = "unknown"
_DURING = ("FD-random", "FD-EfficientNetLite0", "FID", "diversity", "rotation_accuracy")
_IN_FILES = ("folder", "zip", "tar", "npz", "cifar10", "cifar10-test")  # kinds with a path
_LISTED = 40  # classes, at most, that are named
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#])")


class Metric(NamedTuple):
    """A line of the card's table."""

    name: str
    value: str
    protocol: str


def read_measurements(checkpoint: Checkpoint) -> list[Metric]:
    """What `ssgan evaluate` and the run itself measured on this very generator.

    Results of other steps are left out; so are files that cannot be read.
    """
    run = find_run_of(checkpoint.path)
    if run is None:
        return []
    layout = RunDirectory(run)
    images = GeneratedImages("", checkpoint, torch.device("cpu"))
    found = [
        Metric(result.name, format_value(result), _protocol(result))
        for file in sorted(layout.evaluation.glob("*/results.jsonl"))
        for result in read_results(file)
        if result.subject_content == images.identity
    ]
    columns = {"step": WHOLE, "name": TEXT, "value": NUMBER_OR_NULL}
    during = [
        Metric(str(row["name"]), f"{row['value']:.4g}", f"during training: {_row_protocol(row)}")
        for row in read(layout.metrics, columns)
        if row["step"] == checkpoint.step and row["name"] in _DURING and row["value"] is not None
    ]
    return found + during


def _protocol(result: Result) -> str:
    protocol = result.protocol
    real = "an unknown number of" if protocol.num_real is None else f"{protocol.num_real:,}"
    words = [
        f"{protocol.num_fake:,} samples against {real} images of {hide_path(result.against)}",
        f"split {protocol.split}, {protocol.selection}",
        f"features {protocol.features} {protocol.features_identity[:12]}",
        f"resize {protocol.resize}",
        f"sample seeds {', '.join(map(str, protocol.seeds))}",
        f"batch norm {protocol.batch_norm}",
        *(f"{name} {value}" for name, value in result.parameters.items()),
    ]
    return "; ".join(words)


def _row_protocol(row: Mapping[str, object]) -> str:
    others = {k: v for k, v in row.items() if k not in ("step", "name", "value")}
    words = [f"{k} {v[:12] if k == 'features' and isinstance(v, str) else v}"
             for k, v in others.items()]  # fmt: skip
    return "; ".join(words)


def hide_path(source: str) -> str:
    """The name of a source without the path of its files."""
    kind, _, rest = source.partition(":")
    if kind == "crops":  # crops:K:SOURCE
        number, _, inner = rest.partition(":")
        return f"crops:{number}:{hide_path(inner)}"
    if kind in _IN_FILES:
        return kind
    path = rest if kind == "hub" else source
    if path.startswith(("/", "~", ".")) or "\\" in path or Path(path).is_absolute():
        return kind if kind == "hub" else "images"
    return source if ":" in source or "/" not in source else "images"


def build_card(
    model: StoredModel,
    files: Mapping[str, tuple[int, float | None]],
    metrics: Sequence[Metric],
    license_name: str,
    name: str,
) -> str:
    """The text of README.md; `files` are bytes and difference by name, `name` is OWNER/NAME."""
    parts = [
        _front_matter(model, license_name),
        _introduction(model),
        _measurements(metrics),
        _files(files),
        _usage(model, name, "generator.onnx" in files),
        _intended_use(license_name),
        _settings(model),
    ]
    return "\n".join(parts)


def _front_matter(model: StoredModel, license_name: str) -> str:
    lines = ["---", f"license: {license_name}", "library_name: ssgan"]
    kind = "class-to-image" if model.config.method.conditional else "unconditional-image-generation"
    lines += [*([] if kind == "class-to-image" else [f"pipeline_tag: {kind}"]), "tags:"]
    lines += [f"- {tag}" for tag in ("gan", "image-generation", "pytorch", "onnx")]
    if model.source.startswith("hub:"):
        lines += ["datasets:", f"- {re.split('[@#?]', model.source[4:])[0]}"]
    return "\n".join([*lines, "---", ""])


def _introduction(model: StoredModel) -> str:
    config = model.config
    channels, size = config.data.shape
    colours = {1: "grey", 3: "colour", 4: "transparent colour"}.get(channels, "")
    method, data = type(config.method).__name__, _plain(model.source)
    averaged = " The weights are averaged over steps." if config.ema_halflife_steps else ""
    lines = [
        f"# {method} on {data}",
        "",
        f"A GAN that makes {colours} images of {size} x {size} pixels ({channels} channels). It "
        f"was trained with the method {method} for {model.step:,} steps of {config.batch_size} "
        f"images, and exported by ssgan {_plain(model.version)}.{averaged}",
        "",
        "![64 samples of seed 0, not selected](samples.png)",
        "",
        "64 samples of seed 0, not selected.",
        "",
        "## Data",
        "",
        f"Trained on: {data}. Whoever publishes this model says here what the images show, where "
        "they come from, and who may use them.",
    ]
    if channels == 4:
        lines += ["", "The networks read and make colours that are multiplied by alpha."]
    if config.data.ratio is not None:
        lines += [
            "",
            f"The pictures had a width / height of {config.data.ratio} and were made squares; the "
            "samples above are stretched back.",
        ]
    if model.classes:
        names = ", ".join(_plain(one) for one in model.classes[:_LISTED])
        more = f" and {len(model.classes) - _LISTED} more" if len(model.classes) > _LISTED else ""
        use = "which labels choose" if config.method.conditional else "which it does not use"
        lines += ["", f"The data have {len(model.classes)} classes, {use}: {names}{more}."]
    return "\n".join([*lines, ""])


def _measurements(metrics: Sequence[Metric]) -> str:
    lines = ["## Metrics", ""]
    if not metrics:
        return "\n".join([*lines, "Not measured.", ""])
    lines += [
        "Values of different protocols do not compare.",
        "",
        "| metric | value | protocol |",
        "|---|---|---|",
        *(f"| {_plain(m.name)} | {m.value} | {_plain(m.protocol)} |" for m in metrics),
    ]
    return "\n".join([*lines, ""])


def _files(files: Mapping[str, tuple[int, float | None]]) -> str:
    lines = [
        "## Files",
        "",
        "The difference is the largest one to the network in PyTorch over 64 samples, measured in "
        "a process without ssgan; that of D's outputs is relative where they exceed 1.",
        "",
        "| file | bytes | difference |",
        "|---|---|---|",
    ]
    for name, (size, difference) in files.items():
        shown = "" if difference is None else f"{difference:.1e}" if difference else "0"
        lines.append(f"| {name} | {size:,} | {shown} |")
    return "\n".join([*lines, ""])


def _usage(model: StoredModel, name: str, onnx: bool) -> str:
    lines = [
        "## Use",
        "",
        "With ssgan (`pip install 'ssgan[hub]'`), from this repository or a copy of its folder:",
        "",
        "```python",
        "import ssgan",
        "",
        f"model = ssgan.load({json.dumps(name)})",
        "pixels = model.sample(16, seed=0)  # uint8 [16, S, S, C]",
        "```",
        "",
    ]
    if onnx:
        lines += [
            "Without ssgan (`pip install onnxruntime pillow`):",
            "",
            "```python",
            *_script(model),
            "```",
            "",
        ]
    return "\n".join(lines)


def _script(model: StoredModel) -> list[str]:
    """Lines of Python that draw a picture with the ONNX file, and need no ssgan."""
    config, spec = model.config, model.config.generator
    draw = f"rng.standard_normal((16, {spec.latent_size}))"
    if spec.latents == "uniform":
        draw = f"rng.uniform(-1, 1, (16, {spec.latent_size}))"
    inputs = ['"latents": latents.astype(np.float32)']
    if config.method.conditional:
        inputs.append(f'"labels": np.arange(16) % {model.num_classes}')
    divide = [
        "alpha = np.maximum(pixels[..., 3:], 1)",
        "pixels[..., :3] = (pixels[..., :3] * 255 / alpha).round().clip(0, 255)",
    ]
    shape = find_stretched(config.data.image_size, config.data.ratio)
    resized = "" if config.data.ratio is None else f".resize({shape})"
    return [
        "import numpy as np",
        "import onnxruntime",
        "from PIL import Image",
        "",
        "rng = np.random.default_rng(0)",
        f"latents = {draw}",
        'session = onnxruntime.InferenceSession("generator.onnx")',
        f"(images,) = session.run(None, {{{', '.join(inputs)}}})  # [16, C, S, S] in [-1, 1]",
        "pixels = ((images + 1) * 127.5).round().clip(0, 255).transpose(0, 2, 3, 1)",
        *(divide if config.data.channels == 4 else ()),
        "pixels = pixels.astype(np.uint8)",
        f'Image.fromarray(pixels[0].squeeze()){resized}.save("sample.png")',
    ]


def _intended_use(license_name: str) -> str:
    stated = (
        "None is stated: ask whoever published this model before you use it."
        if license_name == NO_LICENSE
        else f"{_plain(license_name)}. The licence of the training images may add conditions."
    )
    return "\n".join(
        [
            "## Intended use",
            "",
            "Research and teaching on image generation and on self-supervised features. The model "
            "shows what its training images show, with their gaps and biases, and it may repeat "
            "some of them. Its images are not photographs and prove nothing.",
            "",
            "## Licence",
            "",
            stated,
            "",
        ]
    )


def _settings(model: StoredModel) -> str:
    table = flatten({k: v for k, v in describe_model(model)["config"].items() if k != "kind"})
    rows = [f"{name} = {json.dumps(value)}" for name, value in table.items()]
    return "\n".join(
        [
            "## Settings",
            "",
            f"`config.json` and {MODEL_FILE} hold them, too.",
            "",
            "```",
            *rows,
            "```",
            "",
        ]
    )


def _plain(text: Any) -> str:
    """A text of somebody's data in one line, in which Markdown and HTML have no meaning."""
    return _SPECIAL.sub(r"\\\1", printable(str(text)))
