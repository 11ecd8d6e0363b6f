"""`ssgan export`: a model as files for other programs and other people, each one checked.

Files are written into a hidden folder, loaded again in a fresh process without ssgan, and compared.
They take their names only if all of them give the same images.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ssgan.export.browser import BROWSER, build_page, read_runtime
from ssgan.export.card import NO_LICENSE, Metric, build_card
from ssgan.export.compare import measure_difference
from ssgan.export.folder import CARD, ExportedFile, ExportFolder
from ssgan.export.plain import (
    Graph,
    build_discriminator_graph,
    build_generator_graph,
    build_half_graph,
)
from ssgan.export.programs import require_onnx, trace, write_onnx, write_pt2
from ssgan.files.alpha import straighten
from ssgan.files.atomic import write_atomic
from ssgan.files.environment import package_version
from ssgan.files.errors import translate_file_errors
from ssgan.files.image_grid import image_grid, save_png, stretch
from ssgan.files.locks import hold_lock
from ssgan.runs.config_io import list_modules
from ssgan.runs.hub import MODEL_FILE
from ssgan.runs.model_file import (
    StoredModel,
    describe_model,
    load_model,
    pack_model,
    save_model,
)
from ssgan.runs.sampling import to_pixels
from ssgan.types import UserError

FORMATS = ("safetensors", "onnx", "pt2", "hub")
LIMIT = 1e-4  # the largest difference of a file in float32
HALF_LIMIT = 0.02  # of the one in float16: two and a half of 255 grey levels
HALF = "generator-float16.onnx"
_CONFIG, _SAMPLES, _COLUMNS = "config.json", "samples.png", 8
_VERSIONS = ("ssgan", "torch", "onnx", "onnxscript", "onnxruntime")


@dataclass(frozen=True, kw_only=True)
class ExportRequest:
    """What to write, and what the card says beside the model."""

    formats: Collection[str]  # of FORMATS
    license: str = NO_LICENSE  # of the weights, as an identifier of the Hub
    name: str = "OWNER/NAME"  # of the repository, for the card
    metrics: Sequence[Metric] = field(default=())
    web_runtime: Path | None = None  # the folder of onnxruntime-web, to put into the browser page


@dataclass(frozen=True)
class ExportPlan:
    """What an export is going to write; nothing is written yet."""

    model: StoredModel  # without G before averaging
    formats: list[str]  # of the request, and those that are in the folder
    names: list[str]  # of the files, in the order in which they are written
    runtime: tuple[bytes, bytes] | None  # onnxruntime-web, for the browser page
    key: str  # a digest of all that decides the content of the files
    up_to_date: bool  # all files are there


@dataclass(frozen=True)
class Export:
    """What an export has written."""

    files: list[ExportedFile]
    up_to_date: bool  # nothing had to be written
    notes: list[str]  # sentences on files that were left out or kept


def list_names(model: StoredModel, formats: Collection[str]) -> list[str]:
    """The names of the files of these formats, those that a model without D lacks left out."""
    networks = ["generator", *(["discriminator"] if "discriminator" in model.tensors else [])]
    names = []
    if {"safetensors", "hub"} & set(formats):
        names.append(MODEL_FILE)
    if {"onnx", "hub"} & set(formats):
        names += [*(f"{one}.onnx" for one in networks), HALF, BROWSER]
    if "pt2" in formats:
        names += [f"{one}.pt2" for one in networks]
    if "hub" in formats:
        names += [_SAMPLES, _CONFIG, CARD]
    return names


def plan_export(model: StoredModel, request: ExportRequest, out: Path) -> ExportPlan:
    """Check a request. Formats that are in the folder already are written, too.

    So all files in a folder come from one model. Raises UserError for a library that is missing,
    and for files of anybody else in the folder.
    """
    averaged = {name: table for name, table in model.tensors.items() if name != "generator"}
    model, folder = replace(model, tensors=averaged), ExportFolder(out)
    formats = [one for one in FORMATS if one in {*request.formats, *folder.read_formats()}]
    names = list_names(model, formats)
    if HALF in names:
        require_onnx()
    runtime = read_runtime(request.web_runtime)
    key = _make_key(model, request, formats, runtime)
    folder.refuse_other_files(names)
    return ExportPlan(model, formats, names, runtime, key, folder.is_up_to_date(key))


def export_model(
    model: StoredModel,
    request: ExportRequest,
    out: Path,
    report: Callable[[str], None] = lambda sentence: None,
) -> Export:
    """Write the files that `plan_export` names. G without averaging is left out.

    `report` gets a sentence before each file. Raises UserError, and writes nothing, as
    `plan_export`, and for a file that differs from our network by more than 1e-4.
    """
    plan, folder = plan_export(model, request, out), ExportFolder(out)
    if plan.up_to_date:
        return Export(list(folder.read_files().values()), True, [])
    with translate_file_errors(out):
        out.mkdir(parents=True, exist_ok=True)
        with hold_lock(folder.lock), folder.writing() as new:
            writer = _Writer(plan.model, request, new, report, plan.runtime)
            writer.write(plan.names)
            kept = CARD if CARD in plan.names and folder.is_edited(CARD) else None
            if kept:
                writer.notes.append(f"{CARD} stays as you edited it; remove it for a new one")
            folder.replace(new, plan.key, plan.formats, writer.files, kept)
    return Export(writer.files, False, writer.notes)


def _make_key(
    model: StoredModel,
    request: ExportRequest,
    formats: Sequence[str],
    runtime: tuple[bytes, bytes] | None,
) -> str:
    """A digest of all that decides the content of the files."""
    card = [request.license, request.name, [list(one) for one in request.metrics]]
    versions = [package_version(one) for one in _VERSIONS]
    words = json.dumps([list(formats), card, versions])
    parts = (words.encode(), pack_model(model), *(runtime or ()))
    return hashlib.sha256(b"".join(hashlib.sha256(one).digest() for one in parts)).hexdigest()


class _Writer:
    """Writes the files of one export into a folder and compares them."""

    def __init__(
        self,
        model: StoredModel,
        request: ExportRequest,
        folder: Path,
        report: Callable[[str], None],
        runtime: tuple[bytes, bytes] | None,
    ) -> None:
        self.model, self.request, self.folder, self.report = model, request, folder, report
        self.runtime = runtime
        self.files: list[ExportedFile] = []
        self.notes: list[str] = []
        self.generator = build_generator_graph(model)
        self.images = self.generator.outputs["images"]

    def write(self, names: Sequence[str]) -> None:
        """Write these files, in this order; UserError for one that differs too much."""
        if MODEL_FILE in names:
            self._write_model()
        for network in ("generator", "discriminator"):
            wanted = [name for name in (f"{network}.onnx", f"{network}.pt2") if name in names]
            if wanted:
                self._write_programs(self._graph(network), wanted)
        if HALF in names:
            self._write_half()
            page = build_page(
                self.model, (self.folder / "generator.onnx").read_bytes(), self.runtime
            )
            self._write_text(BROWSER, page)
        if CARD in names:
            self._write_card()

    def _graph(self, network: str) -> Graph:
        if network == "generator":
            return self.generator
        return build_discriminator_graph(self.model, self.images)

    def _write_model(self) -> None:
        path = self.folder / MODEL_FILE
        save_model(path, self.model)
        modules = list_modules(describe_model(self.model)["config"])
        back = build_generator_graph(load_model(path, modules)).outputs["images"]
        self._accept(path, float((back - self.images).abs().max()))

    def _write_programs(self, graph: Graph, names: Sequence[str]) -> None:
        self.report(f"converting the {graph.name}")
        program = trace(graph)
        for name in names:
            path = self.folder / name
            if path.suffix == ".onnx":
                write_onnx(program, graph, path)
            else:
                write_pt2(program, graph, path)
            self._accept(path, measure_difference(path, graph))

    def _write_half(self) -> None:
        self.report("converting the generator to float16")
        graph, path = build_half_graph(self.model), self.folder / HALF
        write_onnx(trace(graph), graph, path)
        difference = measure_difference(path, graph)
        if difference <= HALF_LIMIT:
            self.files.append(ExportedFile.of(path, difference))
            return
        path.unlink()
        self.notes.append(f"{HALF} is left out: in float16 images differ by {difference:.2g}")

    def _accept(self, path: Path, difference: float) -> None:
        if not difference <= LIMIT:
            raise UserError(
                f"nothing is exported: {path.name} differs from the network by {difference:.2g}, "
                f"and {LIMIT:g} is the most that is accepted"
            )
        self.files.append(ExportedFile.of(path, difference))

    def _write_card(self) -> None:
        pixels = stretch(straighten(to_pixels(self.images)), self.model.config.data.ratio)
        save_png(self.folder / _SAMPLES, image_grid(pixels, _COLUMNS))
        self.files.append(ExportedFile.of(self.folder / _SAMPLES))
        facts = {"library_name": "ssgan", **describe_model(self.model)}
        self._write_text(_CONFIG, json.dumps(facts, indent=2) + "\n")
        sizes = {one.name: (one.bytes, one.difference) for one in self.files}
        request = self.request
        card = build_card(self.model, sizes, request.metrics, request.license, request.name)
        self._write_text(CARD, card)

    def _write_text(self, name: str, text: str) -> None:
        write_atomic(self.folder / name, text.encode())
        self.files.append(ExportedFile.of(self.folder / name))
