"""One HTML file about a run, or about several side by side, that opens offline."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from ssgan.files.atomic import write_atomic
from ssgan.files.links import refuse_links
from ssgan.files.names import readable
from ssgan.pages.page import render_page
from ssgan.report.comparison import ComparedRun, Comparison, compare_runs, name_runs
from ssgan.report.curves import chart_run, chart_runs
from ssgan.report.facts import RunFacts, collect_facts
from ssgan.report.pictures import NetworkPictures, Sheet, draw_networks, read_sheets
from ssgan.training.history import Curve, collect_curves, read_alarms
from ssgan.types import UserError

_SHEET_BYTES = 2_400_000  # of all sheets of samples in a file
_MARK = b'<meta name="generator" content="ssgan">'
_HEAD = 2048  # bytes of a page that hold the mark


@dataclass(frozen=True)
class RunStory:
    """All that a report says of one run."""

    facts: RunFacts
    charts: list[Markup]
    sheets: list[Sheet]
    made: NetworkPictures | None  # None: the networks were left out
    notes: list[str]


def build_report(
    runs: Sequence[ComparedRun],
    *,
    networks: bool = True,
    device: str = "auto",
    cache: Path | None = None,
    trusted: Sequence[str] = (),
) -> str:
    """HTML about one run, or about several with the difference of their settings.

    Without `networks` no checkpoint is read, and there is no interpolation, nearest real image or
    spectral norm. Nothing is downloaded or prepared. Raises UserError for damaged logs.
    """
    names = name_runs([run.layout.root for run in runs])
    curves = {name: collect_curves(run.layout) for name, run in zip(names, runs, strict=True)}
    stories = []
    for name, run in zip(names, runs, strict=True):
        sheets, notes = read_sheets(run.layout, _SHEET_BYTES // len(runs))
        made = draw_networks(run.layout, device, cache, trusted) if networks else None
        charts = chart_run(curves[name], read_alarms(run.layout))
        stories.append(RunStory(collect_facts(run, name), charts, sheets, made, notes))
    return _render(stories, runs, curves)


def _render(
    stories: Sequence[RunStory],
    runs: Sequence[ComparedRun],
    curves: dict[str, dict[str, Curve]],
) -> str:
    comparison: Comparison | None = None
    together: list[Markup] = []
    if len(runs) > 1:
        comparison, together = compare_runs(runs), chart_runs(curves)
    title = ", ".join(story.facts.name for story in stories)
    return render_page(
        "report/report.html",
        title=title,
        stories=stories,
        comparison=comparison,
        together=together,
    )


def refuse_other_page(path: Path, root: Path | None = None) -> None:
    """Raise UserError where the file of somebody else would be replaced by a report.

    A link is refused where the page goes into the run directory `root`.
    """
    if root is not None:
        refuse_links(root, path)
    if path.is_dir():
        raise UserError(f"{readable(path)} is a folder; give the name of a file")
    if path.exists():
        with path.open("rb") as file:
            if _MARK not in file.read(_HEAD):
                raise UserError(
                    f"{readable(path)} is no report of ssgan: move it, or write to another place"
                )


def save_report(path: Path, page: str, root: Path | None = None) -> None:
    """Write a page, whole or not at all; folders are created.

    Raises UserError for a file of somebody else, and for a link below the run directory `root`.
    """
    refuse_other_page(path, root)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, page.encode("utf-8", "backslashreplace"))
