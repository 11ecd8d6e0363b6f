"""`ssgan probe` and `ssgan features` as a user types them."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from ssgan.cli.main import main
from ssgan.data.cifar10 import Cifar10
from ssgan.files.run_directory import RunDirectory
from tests.data.pictures import write_images
from tests.evaluation.probed import finished_run, patches

pytestmark = pytest.mark.slow

QUICK = ["--pooling", "grid2", "--fractions", "1"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs of different methods."""
    folder = tmp_path_factory.mktemp("runs")
    return [finished_run(folder / name, name) for name in ("ssgan", "gan")]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A folder of three classes, of pictures larger than the run's, one of them broken."""
    folder, data = tmp_path_factory.mktemp("data") / "photos", patches(90, size=40)
    for number, (pixels, label) in enumerate(zip(data.images, data.labels, strict=True)):
        path = folder / data.classes[label] / f"{number:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    (folder / "a" / "broken.png").write_bytes(b"no picture")
    return folder


@pytest.fixture
def root(runs, tmp_path):
    return shutil.copytree(runs[0], tmp_path / "run")


def rows_of(folder):
    return [json.loads(line) for line in (folder / "probe.jsonl").read_text().splitlines()]


def one_line(capsys):
    error = capsys.readouterr().err.strip().splitlines()
    assert len(error) == 1
    return error[0]


def test_a_probe_of_a_folder_prints_tables_and_leaves_rows_and_a_plot(root, photos, capsys):
    assert main(["probe", str(root), "--data", f"folder:{photos}", "--fractions", "0.5,1"]) == 0
    printed = capsys.readouterr().out
    for words in ("block 3", "grid, 72 labels", "mean, 72 labels", "36 labels (50 %)", "best",
                  "broken.png", "chance"):  # fmt: skip
        assert words in printed
    rows = rows_of(root / "probe")
    assert len(rows) == 2 * 4 * 2
    assert {row["map"][0] for row in rows} == {4}
    assert max(row["top1"] for row in rows) > 0.6
    assert (root / "probe" / "probe.txt").read_text() in printed
    with Image.open(root / "probe" / "probe.png") as picture:
        assert picture.width > 300
    assert not list((root / "probe").glob("features-*"))


def test_test_images_that_are_training_images_are_said_and_stored(root, photos, capsys):
    words = ["probe", str(root), "--data", f"folder:{photos}", *QUICK]
    assert main([*words, "--test", f"folder:{photos}"]) == 0
    expected = "note: all 90 test images are training images too: accuracies are too high"
    assert capsys.readouterr().out.count(expected) == 1
    assert main(words) == 0
    assert "test images are training images" not in capsys.readouterr().out
    assert [row["tested_on_training_images"] for row in rows_of(root / "probe")] == [90] * 4 + [
        0
    ] * 4


def test_the_same_command_again_computes_nothing(root, photos, capsys, monkeypatch):
    words = ["probe", str(root), "--data", f"folder:{photos}", *QUICK]
    assert main(words) == 0
    before, printed = (root / "probe" / "probe.jsonl").read_bytes(), capsys.readouterr().out
    monkeypatch.setattr("ssgan.evaluation.probe.probe.StateProbe.fit", None)
    assert main(words) == 0
    assert (root / "probe" / "probe.jsonl").read_bytes() == before
    assert capsys.readouterr().out == printed


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("top1", "high", 'top1 must be a number from 0 to 1, not "high"'),
        ("interval", [0.1], "interval must be a list of two numbers, not [0.1]"),
        ("train", {"images": 3}, "train must be an object with source, content_hash and images"),
    ],
)
def test_a_row_that_was_edited_by_hand_is_named(name, value, complaint, root, photos, capsys):
    words = ["probe", str(root), "--data", f"folder:{photos}", *QUICK]
    assert main(words) == 0
    first, second, *others = rows_of(root / "probe")
    rows = [first, {**second, name: value}, *others]
    file = root / "probe" / "probe.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    capsys.readouterr()
    assert main(words) == 2
    assert f"{file}, line 2: {complaint}" in one_line(capsys)


def test_an_interrupted_probe_says_how_to_continue_and_does(root, photos, capsys, monkeypatch):
    words = ["probe", str(root), "--data", f"folder:{photos}", *QUICK]
    found = []

    def interrupted(*arguments):
        found.append(arguments)
        if len(found) == 3:
            raise KeyboardInterrupt
        return classify_by_neighbours(*arguments)

    from ssgan.evaluation.probe.probe import classify_by_neighbours

    with monkeypatch.context() as patch:
        patch.setattr("ssgan.evaluation.probe.probe.classify_by_neighbours", interrupted)
        assert main(words) == 130
    assert "run the same command again to continue" in capsys.readouterr().err
    assert [row["block"] for row in rows_of(root / "probe")] == [0, 1]
    monkeypatch.setattr(
        "ssgan.evaluation.probe.maps.ProbedDiscriminator.features", None
    )  # nothing is read again
    assert main(words) == 0
    assert [row["block"] for row in rows_of(root / "probe")] == [0, 1, 2, 3]


def test_runs_are_compared_in_one_table(runs, photos, tmp_path, capsys):
    names = [str(run) for run in runs]
    out = tmp_path / "both"
    words = ["--data", f"folder:{photos}", "--out", str(out), *QUICK, "--train-n", "40"]
    assert main(["probe", *names, *words]) == 0
    printed = capsys.readouterr().out
    assert "SSGAN ssgan, step 2" in printed
    assert "GAN gan, step 2" in printed
    assert {(row["run"], row["labels"]) for row in rows_of(out)} == {("ssgan", 40), ("gan", 40)}


def test_states_over_training_are_curves(root, photos, capsys):
    words = ["--data", f"folder:{photos}", "--blocks", "3", *QUICK]
    assert main(["probe", str(root), *words, "--steps", "0,1,2"]) == 0
    printed = capsys.readouterr().out
    assert [word in printed for word in ("step 0 ", "step 1 ", "step 2 ")] == [True] * 3
    assert [row["step"] for row in rows_of(root / "probe")] == [0, 1, 2]
    assert main(["probe", str(root), *words, "--steps", "all"]) == 0
    assert len(rows_of(root / "probe")) == 3


def test_given_test_images_are_used_and_cifar10_brings_its_own(root, tmp_path, capsys):
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    draw = np.random.default_rng(0)
    for name, count in [(f"data_batch_{k}.bin", 20) for k in range(1, 6)] + [
        ("test_batch.bin", 30)
    ]:
        records = draw.integers(0, 256, (count, 3073), dtype=np.uint8)
        records[:, 0] = np.arange(count) % 10
        (folder / name).write_bytes(records.tobytes())
    words = ["probe", str(root), "--data", f"cifar10:{folder}", "--blocks", "0", *QUICK]
    assert main(words) == 0
    (row,) = rows_of(root / "probe")
    assert row["test"]["source"] == Cifar10(str(folder), split="test").name()
    assert (row["train"]["images"], row["test"]["images"]) == (100, 30)
    assert main([*words, "--test", f"cifar10:{folder}", "--test-n", "25"]) == 0
    assert rows_of(root / "probe")[1]["test"]["images"] == 25


def test_a_checkpoint_file_and_the_paper_s_schedule(root, photos):
    file = RunDirectory(root).snapshot(1)
    words = ["--data", f"folder:{photos}", "--blocks", "3", "--solver", "sgd", *QUICK]
    assert main(["probe", str(file), *words]) == 0
    (row,) = rows_of(root / "probe")
    assert (row["step"], row["solver"]) == (1, "sgd")


def test_two_probes_into_one_folder_do_not_mix(root, photos, capsys):
    from ssgan.files.locks import hold_lock

    (root / "probe").mkdir()
    with hold_lock(root / "probe" / ".lock"):
        assert main(["probe", str(root), "--data", f"folder:{photos}", *QUICK]) == 2
    assert "probe is in use by process" in one_line(capsys)


@pytest.fixture
def bad(tmp_path, photos):
    """Folders that cannot be probed, by name."""
    write_images(tmp_path / "bare", range(40))
    write_images(tmp_path / "single" / "cats", range(40))
    write_images(tmp_path / "few" / "cats", range(3))
    write_images(tmp_path / "few" / "dogs", range(3, 6))
    write_images(tmp_path / "other" / "birds", range(20))
    write_images(tmp_path / "other" / "a", range(20, 40))
    (tmp_path / "empty").mkdir()
    return {
        **{name: f"folder:{tmp_path / name}" for name in ("bare", "single", "few", "other")},
        "empty": f"folder:{tmp_path / 'empty'}",
        "photos": f"folder:{photos}",
    }


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--data", "{bare}"], "has no labels: a probe needs them"),
        (["--data", "{single}"], "has images of one class"),
        (["--data", "{few}"], "labelled images to test on are too few for 2 classes"),
        (["--data", "{empty}"], "empty"),
        (["--data", "{photos}", "--test", "{other}"], "has class 'birds'"),
        (["--data", "{photos}", "--train-n", "1000"], "--train-n 1000: there are only 72"),
        (["--data", "{photos}", "--fractions", "0.01"], "72 training images are too few"),
        (["--data", "{photos}", "--fractions", "2"], "must be in (0, 1], not 2.0"),
        (["--data", "{photos}", "--fractions", "x"], "--fractions must be numbers, not 'x'"),
        (["--data", "{photos}", "--pooling", "max"], "no pooling 'max'; there are mean"),
        (["--data", "{photos}", "--blocks", "7"], "no block 7: D of run has blocks 0 to 3"),
        (
            ["--data", "{photos}", "--blocks", "x"],
            "--blocks must be whole numbers, 0 or more, not 'x'",
        ),
        (["--data", "{photos}", "--solver", "adam"], "--solver must be lbfgs or sgd"),
        (["--data", "{photos}", "--l2", "-1"], "l2 must be 0 to 1e+06 with solver lbfgs, not -1"),
        (["--data", "{photos}", "--l2", "1e300"], "l2 must be 0 to 1e+06 with solver lbfgs, not"),
        (["--data", "{photos}", "--l2", "nan"], "l2 must be 0 to 1e+06 with solver lbfgs, not nan"),
        (["--data", "{photos}", "--l2", "20", "--solver", "sgd"], "l2 must be 0 to 19 with solver"),
        (["--data", "{photos}", "--steps", "9"], "no state of step '9'; there are 0, 1, 2"),
        ([], "probe needs --data SOURCE: labelled images"),
        (["--data", "{photos}", "--color", "red"], "probe has no --color"),
    ],
)
def test_bad_input_to_a_probe_is_one_line(root, bad, words, expected, capsys):
    assert main(["probe", str(root), *[word.format(**bad) for word in words]]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("ssgan:")]
    assert len(lines) == 1
    assert expected in lines[0]


def test_bad_runs_are_one_line(root, runs, photos, tmp_path, capsys):
    data = ["--data", f"folder:{photos}"]
    assert main(["probe", str(tmp_path / "absent"), *data]) == 2
    assert "absent is not there" in one_line(capsys)
    assert main(["probe", *data]) == 2
    assert "probe needs RUN" in one_line(capsys)
    assert main(["probe", str(root), str(root), *data]) == 2
    assert "is given twice" in one_line(capsys)


def test_kept_files_of_two_runs_are_two_states_and_lie_in_the_first_run(runs, photos, capsys):
    """They were called after their files, hence alike, and refused as given twice."""
    files = [str(RunDirectory(root).snapshot(1)) for root in runs]
    words = ["--data", f"folder:{photos}", "--blocks", "3", *QUICK]
    assert main(["probe", *files, *words]) == 0
    printed = capsys.readouterr().out
    assert all(title in printed for title in ("SSGAN ssgan, step 1", "GAN gan, step 1"))
    assert {row["run"] for row in rows_of(runs[0] / "probe")} == {"ssgan", "gan"}


def test_features_are_written_for_every_image_in_order(root, photos, tmp_path, capsys):
    target = tmp_path / "f.npy"
    words = ["features", str(root), "--data", f"folder:{photos}", "--out", str(target)]
    assert main(words) == 0
    assert "90 images, step 2 of run" in capsys.readouterr().out
    facts = json.loads(target.with_suffix(".json").read_text())
    assert np.load(target).shape == (90, 4)
    assert (facts["layers"][0]["block"], facts["layers"][0]["pooling"]) == (3, "mean")
    assert facts["names"] == sorted(facts["names"])
    classes = [name.split("/")[0] for name in facts["names"]]
    labels = np.load(tmp_path / "f.labels.npy")
    assert [facts["classes"][label] for label in labels] == classes
    npz = tmp_path / "f.npz"
    assert main([*words[:-1], str(npz), "--block", "all", "--pooling", "grid2", "--step", "0"]) == 0
    with np.load(npz) as archive:
        assert archive["block_0"].shape == (90, 16)


def test_features_of_images_without_labels(root, bad, tmp_path):
    target = tmp_path / "f.npy"
    assert main(["features", str(root), "--data", bad["bare"], "--out", str(target)]) == 0
    assert np.load(target).shape == (40, 4)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--out", "{tmp}/f.npy"], "features needs --data SOURCE"),
        (["--data", "{photos}"], "features needs --out FILE"),
        (["--data", "{photos}", "--out", "{tmp}/f.csv"], "its ending must be"),
        (["--data", "{photos}", "--out", "{tmp}/f.npy", "--block", "all"], "holds one block"),
        (["--data", "{photos}", "--out", "{tmp}/f.npy", "--block", "9"], "must be last, all, or 0"),
        (["--data", "{photos}", "--out", "{tmp}/f.npy", "--step", "x"], "--step must be"),
        (["--data", "{photos}", "--out", "{tmp}/f.npy", "--pooling", "max"], "no pooling 'max'"),
        (["more", "--data", "{photos}", "--out", "{tmp}/f.npy"], "features takes one RUN"),
    ],
)
def test_bad_input_to_features_is_one_line(root, bad, tmp_path, words, expected, capsys):
    words = [word.format(tmp=tmp_path, **bad) for word in words]
    assert main(["features", str(root), *words]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("ssgan:")]
    assert len(lines) == 1
    assert expected in lines[0]
    assert not list(tmp_path.glob("f.*"))


@pytest.mark.parametrize("verb", ["probe", "features"])
def test_help_is_help(verb, capsys):
    assert main([verb, "--help"]) == 0
    assert f"usage: ssgan {verb}" in capsys.readouterr().out
