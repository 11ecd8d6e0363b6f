"""A finished run says so first, and how to train longer; reasons are about what will run."""

import pytest

from ssgan.cli.main import main
from tests.cli.test_main import TINY
from tests.data.pictures import write_images

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder of pictures, the words of its command, and their first output."""
    root = tmp_path_factory.mktemp("finished")
    write_images(root / "photos", range(40), size=32)
    words = ["train", "--data", f"folder:{root / 'photos'}", "--method", "GAN", *TINY]
    command = [*words, "--run", str(root / "run"), "--cache", str(root / "cache")]
    assert main([*command, "--augment", "true", "--evaluate.every", "0"]) == 0
    return root, [*command, "--augment", "true", "--evaluate.every", "0"]


def test_a_finished_run_says_so_before_anything_else_and_how_to_train_longer(finished, capsys):
    root, command = finished
    for words in (command, ["train", str(root / "run")]):
        assert main(words) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == f"finished, nothing to do: {root / 'run'} is at step 2 of 2"
        assert lines[1].endswith(f"ssgan train {root / 'run'} --total_steps 4")
        assert len(lines) == 3


def test_the_images_of_a_finished_run_are_not_needed(finished, tmp_path, capsys):
    root, _ = finished
    (root / "photos").rename(root / "moved")
    try:
        assert main(["train", str(root / "run")]) == 0
    finally:
        (root / "moved").rename(root / "photos")
    assert capsys.readouterr().out.startswith("finished")


def test_the_command_that_a_finished_run_names_trains_longer(finished, tmp_path, capsys):
    root, command = finished
    longer = tmp_path / "longer"
    words = [str(longer) if word == str(root / "run") else word for word in command]
    assert main(words) == 0
    assert main(["train", str(longer)]) == 0
    advice = capsys.readouterr().out.splitlines()[-2]
    named = advice.partition("ssgan train ")[2].split()
    assert main(["train", *named, "--cache", str(root / "cache")]) == 0
    assert "done\n" in capsys.readouterr().out


def test_a_run_whose_learning_rate_decays_says_that_its_number_of_steps_is_fixed(
    finished, tmp_path, capsys
):
    root, command = finished
    words = [str(tmp_path / "decay") if word == str(root / "run") else word for word in command]
    for _ in range(2):
        assert main([*words, "--learning_rate_decay", "linear"]) == 0
    advice = capsys.readouterr().out.splitlines()[-2]
    assert "no other number, because learning_rate_decay depends on it" in advice


def test_a_finished_run_with_another_setting_is_refused_as_before(finished, capsys):
    _, command = finished
    assert main([*command, "--seed", "5"]) == 2
    captured = capsys.readouterr()
    assert "seed: 0 before, 5 now" in captured.err
    assert captured.out == ""


def test_the_reasons_of_a_new_run_are_about_the_flags(finished, tmp_path, capsys):
    root, command = finished
    words = [str(tmp_path / "new") if word == str(root / "run") else word for word in command]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert out.startswith("GAN (as given): needs no labels, trains without the rotation task\n")
    assert "\nbatch size 8 (as given), 2 steps (as given), learning rate 0.000" in out
    assert "SS-GAN" not in out
