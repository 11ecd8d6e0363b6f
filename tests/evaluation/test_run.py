"""The evaluation of the command from Python: one request, the same results and files."""

import pytest

from ssgan.cli.main import main
from ssgan.evaluation.metrics import parse_metrics
from ssgan.evaluation.results import read_results
from ssgan.evaluation.run import EvaluationRequest, Reporter, evaluate_images
from ssgan.metrics.features import RandomFeatures
from ssgan.types import UserError
from tests.evaluation.saved import save_run, write_folder


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    root = tmp_path_factory.mktemp("requests")
    save_run(root / "run")
    write_folder(root / "real")
    write_folder(root / "other", seed=2)
    return root


def request(places, **changes):
    return EvaluationRequest(
        against=str(places / "real"), features="random", cache=places / "cache", count=20, **changes
    )


def test_python_and_the_command_give_the_same_results(places, tmp_path, capsys):
    shown = []
    wanted = request(places, seeds=2, out=tmp_path / "a.jsonl", held_out=str(places / "other"))
    found = evaluate_images(str(places / "run"), wanted, Reporter(show=shown.append))
    words = [
        "--features",
        "random",
        "--n",
        "20",
        "--seeds",
        "2",
        "--out",
        str(tmp_path / "b.jsonl"),
    ]
    words += ["--held-out", str(places / "other"), "--cache", str(places / "cache")]
    assert main(["evaluate", str(places / "run"), "--against", str(places / "real"), *words]) == 0
    assert found.results == read_results(tmp_path / "a.jsonl") == read_results(tmp_path / "b.jsonl")
    names = {result.name for result in found.results}
    assert {"FD-random", "authenticity", "authenticity (held out)"} <= names
    assert shown[0] in capsys.readouterr().out
    assert (tmp_path / "a-neighbours.png").read_bytes() == (
        tmp_path / "b-neighbours.png"
    ).read_bytes()


def test_without_a_reference_statistics_are_written_and_nothing_is_evaluated(places, tmp_path):
    path = tmp_path / "real.npz"
    wanted = EvaluationRequest(write_stats=path, features="random", cache=places / "cache")
    assert evaluate_images(str(places / "real"), wanted) is None
    assert path.exists()


REFUSED = [
    ({"write_stats": "s.npz", "real_count": 5}, "--real-n requires --against"),
    ({"write_stats": "s.npz", "metrics": ("fd",)}, "--metrics requires --against"),
    ({"write_stats": "s.npz", "held_out": "x"}, "--held-out requires --against"),
    ({"against": "x", "held_out": "x", "metrics": ("fd", "pr")}, "the metric authenticity alone"),
    ({"against": "x", "write_stats": "s.txt"}, r"must end in \.npz"),
]


@pytest.mark.parametrize(("fields", "words"), REFUSED)
def test_a_request_that_contradicts_itself_is_refused_at_once(fields, words, tmp_path):
    if "write_stats" in fields:
        fields = {**fields, "write_stats": tmp_path / fields["write_stats"]}
    with pytest.raises(UserError, match=words):
        EvaluationRequest(**fields)


def test_statistics_are_no_held_out_images(places, tmp_path):
    path = tmp_path / "real.npz"
    wanted = EvaluationRequest(write_stats=path, features="random", cache=places / "cache")
    evaluate_images(str(places / "real"), wanted)
    with pytest.raises(UserError, match=r"--held-out expects images, and .* holds statistics"):
        evaluate_images(str(places / "run"), request(places, held_out=str(path)))


def test_metrics_are_named_once_and_memorisation_is_an_old_name():
    assert parse_metrics("fd,memorisation,authenticity,fd") == ("fd", "authenticity")
    with pytest.raises(UserError, match="no metric 'fid'; there are fd,"):
        parse_metrics("fd,fid")


@pytest.mark.parametrize("name", ["notes.jsonl", "results.jsonl"])
def test_a_file_of_something_else_is_not_replaced(name, places, tmp_path, monkeypatch):
    """Before any feature is computed."""
    monkeypatch.setattr(RandomFeatures, "__call__", lambda *_: pytest.fail("features were made"))
    (tmp_path / name).write_text("my notes\n")
    out = tmp_path if name == "results.jsonl" else tmp_path / name
    with pytest.raises(UserError, match=f"--out .*{name} would replace what is no result"):
        evaluate_images(str(places / "other"), request(places, out=out))
    assert (tmp_path / name).read_text() == "my notes\n"
