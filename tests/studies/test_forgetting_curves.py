"""Figure 3 is drawn by what `ssgan forget` draws with."""

import sys
from types import ModuleType

import pytest

from ssgan.studies.cell import jobs_of
from ssgan.studies.every import find_study
from ssgan.studies.writing import write_study
from ssgan.types import UserError
from tests.studies.places import asked, cells


@pytest.fixture
def done(tmp_path):
    request = asked(tmp_path)
    found = cells("figure3", request)
    for job in jobs_of(found):
        job.result.parent.mkdir(parents=True)
        job.result.touch()
    return request, found


def written(request, found):
    study = find_study("figure3")
    return write_study(study, study.laptop, request, found)


def test_the_directories_of_both_arms_and_all_seeds_are_drawn_together(done, monkeypatch):
    request, found = done
    seen = []
    plot, table = ModuleType("plot"), ModuleType("table")
    plot.draw_forgetting = lambda roots, target: (seen.append(roots), target.write_bytes(b"PNG"))
    table.forgetting_table = lambda roots: f"{len(roots)} directories"
    monkeypatch.setitem(sys.modules, "ssgan.report.forgetting_plot", plot)
    monkeypatch.setitem(sys.modules, "ssgan.report.forgetting_table", table)
    assert "    4 directories" in written(request, found).text
    assert seen == [[job.result.parent for job in jobs_of(found)]]
    assert (request.out / "figure3" / "figure.png").read_bytes() == b"PNG"


def test_without_that_it_is_said_in_one_line(done, monkeypatch):
    monkeypatch.setitem(sys.modules, "ssgan.report.forgetting_plot", None)
    with pytest.raises(UserError, match="figure 3 cannot be drawn"):
        written(*done)
