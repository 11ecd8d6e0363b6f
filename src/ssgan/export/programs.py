"""The formats that other programs run: ONNX, and torch.export's pt2. Both have a free batch."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import torch
from torch.export import Dim, ExportedProgram

from ssgan.export.plain import Graph
from ssgan.files.names import printable
from ssgan.types import UserError

_LARGEST_BATCH = 65536
_LONGEST = 200  # characters of a reason
_NEEDED = ("onnx", "onnxscript", "onnxruntime")


def require_onnx() -> None:
    """Raise UserError, with the extra to install, unless ONNX files can be written and run."""
    if missing := [name for name in _NEEDED if find_spec(name) is None]:
        raise UserError(f"ONNX needs {', '.join(missing)}: pip install 'ssgan[export]'")


def trace(graph: Graph) -> ExportedProgram:
    """The network as a program of plain operations, for any number of rows."""
    batch = Dim("batch", min=1, max=_LARGEST_BATCH)
    examples = tuple(value[:2].clone() for value in graph.inputs.values())
    with _converting(graph):
        program = torch.export.export(
            graph.module.requires_grad_(False),
            examples,
            dynamic_shapes=tuple({0: batch} for _ in examples),
        )
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # paths of this machine, and lines of code
    return program


def write_pt2(program: ExportedProgram, graph: Graph, path: Path) -> None:
    """Write a file for `torch.export.load`."""
    with _converting(graph):
        torch.export.save(program, path)


def write_onnx(program: ExportedProgram, graph: Graph, path: Path) -> None:
    """Write an ONNX file, weights included, with the inputs and outputs of the graph by name."""
    with _converting(graph):
        converted = torch.onnx.export(
            program,
            dynamo=True,
            verbose=False,
            input_names=list(graph.inputs),
            output_names=list(graph.outputs),
        )
        assert converted is not None
        for node in converted.model.graph.all_nodes():  # they hold paths, too
            node.metadata_props.clear()
        for value in (*converted.model.graph.inputs, *converted.model.graph.outputs):
            assert value.shape is not None
            value.shape[0] = "batch"
        converted.save(path, external_data=False)


@contextmanager
def _converting(graph: Graph) -> Iterator[None]:
    """Without the warnings of a converter: what it gets wrong is measured afterwards.

    Its errors become a UserError, in one line; those of the system stay.
    """
    logger = logging.getLogger("torch")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (OSError, MemoryError):
        raise
    except Exception as error:  # a converter has many types, and messages of pages
        reason = printable((str(error).strip().splitlines() or [""])[0])[:_LONGEST]
        kind = type(error).__name__
        raise UserError(f"the {graph.name} cannot be converted: {kind}: {reason}") from error
    finally:
        logger.setLevel(level)
