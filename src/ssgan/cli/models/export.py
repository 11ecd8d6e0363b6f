"""`ssgan export RUN`: writes a model for other programs and other people."""

from pathlib import Path

from ssgan.cli.config_args import import_trusted
from ssgan.cli.models.options import Export
from ssgan.export.card import read_measurements
from ssgan.export.folder import ExportedFile
from ssgan.export.run import FORMATS, ExportRequest, export_model, plan_export
from ssgan.files.links import refuse_links
from ssgan.files.names import readable
from ssgan.runs.builtin import find_home
from ssgan.runs.hub import push_folder, require_upload
from ssgan.runs.model_file import find_model


def main(given: Export) -> int:
    """Write the files, and upload them with --push; returns the exit code."""
    if given.push is not None:
        require_upload(given.push)
    model, passed_over, checkpoint = find_model(
        given.run, best=given.best, trusted_modules=import_trusted(given.trust)
    )
    for sentence in passed_over:
        print(f"skipped: {sentence}")
    out = given.out or _default_folder(model.path)
    request = ExportRequest(
        formats=FORMATS if given.to == "all" else (given.to,),
        license=given.license,
        name=given.push or "OWNER/NAME",
        metrics=[] if checkpoint is None else read_measurements(checkpoint),
        web_runtime=given.web_runtime,
    )
    if given.dry_run:
        plan = plan_export(model, request, out)
        for name in () if plan.up_to_date else plan.names:
            print(f"would write {readable(out / name)}")
        if plan.up_to_date:
            print(_say_up_to_date(model.step, out))
        if given.push is not None:
            print(f"would upload them to {given.push}, {_audience(given)}")
        return 0
    done = export_model(model, request, out, print)
    for file in done.files:
        print(_describe(out, file))
    for sentence in done.notes:
        print(sentence)
    if done.up_to_date:
        print(_say_up_to_date(model.step, out))
    if given.push is not None:
        names = [file.name for file in done.files]
        address = push_folder(out, names, given.push, private=given.private)
        print(f"uploaded, {_audience(given)}: {address}")
    return 0


def _default_folder(path: Path) -> Path:
    root = find_home(path)
    refuse_links(root, root / "export")
    return root / "export"


def _say_up_to_date(step: int, out: Path) -> str:
    return f"step {step:,} was exported before: {readable(out)} is up to date"


def _audience(given: Export) -> str:
    return "for you alone" if given.private else "for everybody"


def _describe(out: Path, file: ExportedFile) -> str:
    text = f"{readable(out / file.name)}  {file.bytes:,} bytes"
    return text if file.difference is None else f"{text}, difference {file.difference:.1e}"
