"""A run directory of somebody else: its links lead no command to write elsewhere."""

import os
import shutil
from pathlib import Path

import pytest

from ssgan.cli.main import main
from ssgan.files.run_directory import RunDirectory
from tests.cli.test_main import TINY

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="links need rights there"),
]

IMAGES = "scenes:num_images=40"
FOLLOW = "SSGAN_FOLLOW_LINKS"
OFTEN = [
    *TINY, "--output.checkpoint_every", "1", "--output.snapshot_every", "1",
    "--evaluate.every", "1", "--evaluate.num_images_d", "8",
]  # fmt: skip
PRECIOUS = b"precious\n"
LEFT_BY_A_LIVING_RUN = (".lock.owner", ".lock.marker")


def verbs(run: Path) -> dict[str, list[str]]:
    """The commands that write into a run directory, by the start of the names that they write."""
    against = ["--against", IMAGES, "--features", "random", "--n", "8", "--seeds", "1"]
    return {
        "": ["train", str(run), "--total_steps", "3"],
        "generated": ["sample", str(run), "--n", "1"],
        "evaluation": ["evaluate", str(run), *against],
        "report": ["report", str(run), "--quick"],
    }


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of two steps that every command has written into."""
    root = tmp_path_factory.mktemp("links")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSGAN_CACHE", str(root / "cache"))
        train = ["train", "scenes:ssgan", "--data", IMAGES, "--run", str(root / "run"), *OFTEN]
        assert main(train) == 0
        for name, command in verbs(root / "run").items():
            assert not name or main(command) == 0
        yield root / "run"


def names_in(run: Path) -> list[str]:
    """Every name in the run, of numbered files one each, and those that only a living run has."""
    found = sorted(path.relative_to(run) for path in run.rglob("*") if "tfevents" not in path.name)
    kinds = {(path.parent, path.name.partition("-0")[0], path.suffix): path for path in found}
    return [path.as_posix() for path in kinds.values()] + list(LEFT_BY_A_LIVING_RUN)


def content(place: Path) -> dict[str, bytes]:
    files = [place, *place.rglob("*")]
    return {str(path): path.read_bytes() for path in files if path.is_file()}


def plant(run: Path, name: str, victim: Path) -> None:
    """Put a link in place of a name, to a file, or to a folder with the same names in it."""
    place = run / name
    if place.is_dir():
        shutil.copytree(place, victim)
        for file in victim.rglob("*"):
            if file.is_file() and file.suffix not in (".ckpt", ".npz"):  # these are read
                file.write_bytes(PRECIOUS)
        shutil.rmtree(place)
    else:
        victim.write_bytes(place.read_bytes() if place.exists() else PRECIOUS)
        place.unlink(missing_ok=True)
    place.symlink_to(victim)


def test_no_link_at_any_name_makes_a_command_change_what_it_leads_to(trained, tmp_path, capsys):
    names = names_in(trained)
    assert {".lock", "log.jsonl", "checkpoints/step-00000002.ckpt", "tensorboard"} <= set(names)
    for number, name in enumerate(names):
        run, victim = tmp_path / f"{number}-run", tmp_path / f"{number}-victim"
        shutil.copytree(trained, run)
        plant(run, name, victim)
        before = content(victim)
        for start, command in verbs(run).items():
            if name.startswith(start):
                code = main(command)
                assert code in (0, 2), name
                if code == 2:
                    error = capsys.readouterr().err.splitlines()[-1]
                    assert "is a link" in error, (name, error)
                assert content(victim) == before, (name, command)
        assert main(["show", str(run)]) in (0, 2)
        assert content(victim) == before, name
        shutil.rmtree(run)


@pytest.mark.parametrize("name", [".lock", ".lock.owner", "log.jsonl", "config.json", "samples"])
def test_a_link_without_a_target_makes_none(name, trained, tmp_path, capsys):
    shutil.copytree(trained, tmp_path / "run")
    plant(tmp_path / "run", name, tmp_path / "victim")
    place = tmp_path / "victim"
    shutil.rmtree(place) if place.is_dir() else place.unlink()
    assert main(verbs(tmp_path / "run")[""]) == 2
    error = capsys.readouterr().err
    assert len(error.strip().splitlines()) == 1
    assert f"{tmp_path / 'run' / name} is a link to {place}, and nothing is written" in error
    assert not os.path.lexists(place)


def test_a_run_directory_that_is_itself_a_link_is_the_users_and_goes_on(trained, tmp_path):
    shutil.copytree(trained, tmp_path / "big disk")
    (tmp_path / "run").symlink_to(tmp_path / "big disk")
    for command in verbs(tmp_path / "run").values():
        assert main(command) == 0
    assert RunDirectory(tmp_path / "big disk").checkpoint(3).exists()


def test_a_linked_folder_is_used_once_the_user_says_so_and_a_linked_file_never(
    trained, tmp_path, monkeypatch, capsys
):
    shutil.copytree(trained, tmp_path / "run")
    layout = RunDirectory(tmp_path / "run")
    shutil.move(layout.checkpoints, tmp_path / "other disk")
    layout.checkpoints.symlink_to(tmp_path / "other disk")
    assert main(verbs(layout.root)[""]) == 2
    assert f"set {FOLLOW}=1 if the link is yours" in capsys.readouterr().err
    monkeypatch.setenv(FOLLOW, "1")
    assert main(verbs(layout.root)[""]) == 0
    assert (tmp_path / "other disk" / "step-00000003.ckpt").exists()
    plant(layout.root, ".lock", tmp_path / "victim")
    assert main([*verbs(layout.root)[""][:-1], "4"]) == 2
    assert "remove the link" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["config.json", "log.jsonl", ".lock.owner", "manifest.json"])
def test_a_pipe_or_a_device_at_a_name_is_refused_and_never_waited_for(
    name, trained, tmp_path, capsys
):
    shutil.copytree(trained, tmp_path / "run")
    place = tmp_path / "run" / name
    place.unlink(missing_ok=True)
    os.mkfifo(place)
    for command in (["show", str(tmp_path / "run")], verbs(tmp_path / "run")[""]):
        if command[0] == "train" or name != ".lock.owner":
            assert main(command) == 2
            assert f"{place} is no file but a pipe or a device" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("probe", ["probe", "--data", "scenes:num_images=120", "--pooling", "mean"]),
        ("f.npz.partial", ["features", "--data", IMAGES, "--out", "f.npz"]),
        ("f.npz.partial/block-3-mean.npy", ["features", "--data", IMAGES, "--out", "f.npz"]),
    ],
)
def test_features_of_d_are_written_through_no_link(name, command, trained, tmp_path, monkeypatch):
    run = Path(shutil.copytree(trained, tmp_path / "run"))
    monkeypatch.chdir(run)
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim" / "mine").write_bytes(PRECIOUS)
    (run / name).parent.mkdir(exist_ok=True)
    (run / name).symlink_to(tmp_path / "victim" / ("mine" if name.endswith("npy") else ""))
    main([command[0], str(run), *command[1:]])
    assert content(tmp_path / "victim") == {str(tmp_path / "victim" / "mine"): PRECIOUS}
