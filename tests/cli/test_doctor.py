"""`ssgan doctor`: all good with exit code 0, or what to mend with exit code 1."""

import json
import tomllib
from pathlib import Path

import pytest
import torch

from ssgan.cli.doctor import machine, report, self_test
from ssgan.cli.doctor.extras import EXTRAS, list_extras
from ssgan.cli.doctor.finding import Finding
from ssgan.cli.main import main
from ssgan.files import download
from ssgan.files.download import reach
from ssgan.types import UserError

PROJECT = Path(__file__).parents[2] / "pyproject.toml"


@pytest.fixture
def quick(monkeypatch, tmp_path):
    """The command without the self test, and with an empty cache."""
    monkeypatch.setenv("SSGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(
        report, "check_training", lambda *_: Finding(title="self test", lines=("trained",))
    )


def last_line(capsys, code, *words):
    assert main(["doctor", *words]) == code
    return capsys.readouterr().out.splitlines()[-1]


@pytest.mark.slow
def test_this_machine_is_all_good_and_trains_to_the_same_bits_twice(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SSGAN_CACHE", str(tmp_path))
    monkeypatch.setattr(self_test, "_MOST_SECONDS", 600.0)  # other tests may keep the cores busy
    assert main(["doctor", "--json"]) == 0
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    assert (found["good"], found["to_mend"]) == (True, [])
    assert found["self_test"]["same_bits"] is True
    assert 0 < found["self_test"]["bfloat16_difference"] < 0.1
    assert found["self_test"]["images_per_second"] > 0
    assert found["versions"]["torch"] == torch.__version__
    for title in ("versions", "devices", "processor", "threads", "compiler", "memory", "disk"):
        assert found[title]
        assert f"checking: {title}" in captured.err


def test_the_last_line_is_all_good(quick, capsys):
    assert last_line(capsys, 0) == "all good"


def test_more_threads_than_cores_are_to_be_mended(quick, monkeypatch, capsys):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 999)
    assert last_line(capsys, 1).startswith("to mend: 999 threads are more than ")


def test_the_number_of_threads_comes_with_its_reason(quick, monkeypatch, capsys):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert main(["doctor"]) == 0
    assert "because OMP_NUM_THREADS is 1" in capsys.readouterr().out


def test_a_cache_that_cannot_be_written_is_to_be_mended(quick, tmp_path, monkeypatch, capsys):
    (tmp_path / "file").touch()
    monkeypatch.setenv("SSGAN_CACHE", str(tmp_path / "file"))
    assert "name another folder with SSGAN_CACHE" in last_line(capsys, 1)


def test_the_size_of_the_cache_is_said(quick, tmp_path, capsys):
    (tmp_path / "cache" / "deep").mkdir(parents=True)
    (tmp_path / "cache" / "deep" / "images").write_bytes(b"x" * 3_000_000)
    assert main(["doctor"]) == 0
    assert "(SSGAN_CACHE): 3.0 MB in 1 files" in capsys.readouterr().out


def test_a_gpu_that_torch_does_not_see_is_to_be_mended(quick, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(machine, "_NVIDIA", tmp_path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert "torch sees no GPU" in last_line(capsys, 1)


def test_several_faults_are_in_one_line_and_in_json(quick, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(machine, "_LEAST_DISK", 1e30)
    assert last_line(capsys, 1).count("of disk is free") == 2
    assert main(["doctor", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["good"], len(found["to_mend"])) == (False, 2)


def end(*losses, weight=1.0):
    return self_test._Ending((losses,), (torch.full((2,), weight),), 0.5)


def test_a_device_that_is_not_here_is_one_line_before_any_check(quick, capsys):
    assert main(["doctor", "--device", "abacus"]) == 2
    captured = capsys.readouterr()
    assert "device 'abacus' cannot be used here" in captured.err
    assert (captured.out, len(captured.err.splitlines())) == ("", 1)


@pytest.mark.parametrize(
    ("second", "half", "fault"),
    [
        (end(2.0, 0.5), end(2.01, 0.5), ""),
        (end(2.0, 0.5, weight=1.0001), end(2.0, 0.5), "other bits the second time"),
        (end(2.0, 0.5001), end(2.0, 0.5), "other bits the second time"),
        (end(2.0, 0.5), end(2.0, 0.7), "bfloat16 differs from float32 by 20%"),
        (end(2.0, 0.5), end(float("nan"), 0.5), "bfloat16 differs from float32 by nan%"),
    ],
)
def test_other_bits_and_a_wrong_bfloat16_are_to_be_mended(second, half, fault, monkeypatch):
    endings = iter([end(2.0, 0.5), second, half])
    monkeypatch.setattr(self_test, "_train_tiny", lambda *_: next(endings))
    faults = self_test.check_training(lambda done, total: None, "cpu").faults
    assert bool(faults) == bool(fault)
    assert fault in "".join(faults)


@pytest.mark.parametrize(
    ("busy", "why"),
    [
        (1.5, ", while other processes kept 1.5 cores busy: end them, and check again"),
        (0.0, ": training is slow on this machine"),
        (None, ": training is slow on this machine"),
    ],
)
def test_a_self_test_that_takes_too_long_ends_and_says_why(busy, why, monkeypatch):
    monkeypatch.setattr(self_test, "_MOST_SECONDS", 0.0)
    monkeypatch.setattr(self_test.OtherLoad, "take_busy_cores", lambda _: busy)
    (fault,) = self_test.check_training(lambda done, total: None, "cpu").faults
    assert fault == f"1 of 60 steps of the self test took a minute on cpu{why}"


def test_no_connection_is_made_without_online_nor_when_downloads_are_forbidden(
    quick, monkeypatch, capsys
):
    monkeypatch.setattr(report, "reach", lambda url: pytest.fail(f"connected to {url}"))
    monkeypatch.setenv("SSGAN_OFFLINE", "1")
    assert last_line(capsys, 0) == "all good"
    assert "SSGAN_OFFLINE=1 forbids downloads" in last_line(capsys, 1, "--online")


def test_online_names_what_cannot_be_downloaded(quick, monkeypatch, capsys):
    def reach_one(url):
        if url == report.cifar10.URL:
            raise UserError("no route")

    monkeypatch.delenv("SSGAN_OFFLINE", raising=False)
    monkeypatch.setattr(report, "reach", reach_one)
    assert last_line(capsys, 1, "--online") == "to mend: CIFAR-10 cannot be downloaded: no route"


def test_a_server_that_does_not_answer_is_named_and_a_wrong_scheme_is_refused():
    with pytest.raises(UserError, match=r"http://127\.0\.0\.1:9/x could not be reached \("):
        reach("http://127.0.0.1:9/x", 2.0)
    with pytest.raises(UserError, match="over https only"):
        reach("http://example.org/x")
    assert download.OFFLINE == "SSGAN_OFFLINE"


def test_every_extra_of_the_project_is_described():
    groups = tomllib.loads(PROJECT.read_text())["project"]["optional-dependencies"]
    for_users = {name: needs for name, needs in groups.items() if name not in ("dev", "docs")}
    assert {name: list(needs) for name, (needs, _) in EXTRAS.items()} == for_users


def test_an_extra_that_is_not_described_here_is_listed_too(monkeypatch):
    lines = ["torch>=2.11", "new-package>=3; extra == 'new'", 'pytest>=8; extra == "dev"']
    monkeypatch.setattr("ssgan.cli.doctor.extras.requires", lambda _: lines)
    assert list_extras() == {"new": (("new-package>=3",), ""), **EXTRAS}
