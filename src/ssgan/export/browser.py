"""One HTML page that runs the generator in a browser, with the npm package onnxruntime-web.

The weights are in the page. With the package's files in it as well, the page runs from a local
file, without a server or a network; without them it needs a server that has them beside the page.
"""

import base64
import html
import json
import re
from importlib.resources import files
from pathlib import Path

from ssgan.files.errors import translate_file_errors
from ssgan.runs.model_file import StoredModel
from ssgan.types import UserError

BROWSER = "browser.html"
RUNTIME = ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm")  # in the package's dist folder
_HELP = (
    "This page holds no onnxruntime-web. `ssgan export --to onnx --web-runtime FOLDER` puts that "
    f"npm package into it. Or put {RUNTIME[0]} and {RUNTIME[1]} beside it, and serve the folder: "
    "python -m http.server"
)


def read_runtime(folder: Path | None) -> tuple[bytes, bytes] | None:
    """The two files of onnxruntime-web; None without a folder. Raises UserError if one is missing.

    The folder is the package or its `dist`.
    """
    if folder is None:
        return None
    dist = folder / "dist" if (folder / "dist").is_dir() else folder
    for name in RUNTIME:
        if not (dist / name).is_file():
            raise UserError(
                f"{dist} has no {name}: give the folder of the npm package onnxruntime-web"
            )
    with translate_file_errors(dist):
        script, wasm = ((dist / name).read_bytes() for name in RUNTIME)
    return script, wasm


def build_page(model: StoredModel, onnx: bytes, runtime: tuple[bytes, bytes] | None) -> str:
    """The page, with the ONNX file of the generator, and the runtime if it is given."""
    config = model.config
    channels, size = config.data.shape
    facts = {
        "latent_size": config.generator.latent_size,
        "latents": config.generator.latents,
        "channels": channels,
        "size": size,
        "ratio": config.data.ratio or 1,
        "classes": list(model.classes) if config.method.conditional else [],
    }
    script, wasm = runtime or (b"", b"")
    values = {
        "TITLE": html.escape(f"{type(config.method).__name__} on {model.source}"),
        "FACTS": json.dumps(facts).replace("<", "\\u003c"),
        "HELP": "" if runtime else _HELP,
        "MODEL": _encode(onnx),
        "RUNTIME": _encode(script),
        "WASM": _encode(wasm),
    }
    page = (files("ssgan.export") / "browser.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda slot: values[slot[1]], page)


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
