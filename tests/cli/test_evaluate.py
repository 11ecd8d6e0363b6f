"""`ssgan evaluate` as a user types it: numbers, files, continuing, and one line for bad input."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from ssgan.cli.main import main
from ssgan.cli.measure_options import Evaluate
from ssgan.cli.parser import list_fields
from ssgan.config.serialize import dump
from ssgan.data.folder import Folder
from ssgan.data.scenes.source import Scenes
from ssgan.evaluation.results import read_results
from ssgan.files.atomic import write_json
from ssgan.files.run_directory import RunDirectory
from ssgan.metrics.features import RandomFeatures
from ssgan.metrics.frechet import frechet_distance
from ssgan.metrics.protocol import read_statistics
from ssgan.runs import checkpoint
from tests.evaluation.saved import lively_state, save_run, write_folder
from tests.metrics.pictures import pictures
from tests.training.tiny import tiny

RANDOM = ["--features", "random"]


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """A run, two folders of 24 images, and a cache."""
    root = tmp_path_factory.mktemp("evaluate")
    save_run(root / "run")
    write_folder(root / "real")
    write_folder(root / "other", seed=2)
    return root


def command(places, *words, thing="run", against="real", cache="cache"):
    given = ["--against", str(places / against)] if against else []
    kept = ["--cache", str(places / cache)]
    return ["evaluate", str(places / thing), *given, *RANDOM, *kept, *words]


def numbers_in(path):
    return {result.name: result for result in read_results(path)}


def test_a_run_against_a_folder_writes_numbers_and_a_picture(places, capsys):
    assert main(command(places, "--n", "20", "--seeds", "2", "--kid-subset", "10")) == 0
    printed = capsys.readouterr().out
    assert "FD-random" in printed
    assert "20 images, 2 times (sample seeds 0, 1)" in printed
    assert "20 real images, split all, first of keyed permutation 0" in printed
    (folder,) = (places / "run" / "evaluation").iterdir()
    assert str(folder / "results.jsonl") in printed
    results = numbers_in(folder / "results.jsonl")
    assert set(results) == {
        "FD-random", "KD-random", "precision", "recall", "density", "coverage", "authenticity",
        "duplicates",
    }  # fmt: skip
    assert results["FD-random"].against == f"folder:{places / 'real'}"
    with Image.open(folder / "neighbours.png") as picture:
        assert picture.width > 6 * 32


def test_the_same_command_again_reads_no_image_and_says_the_same(places, monkeypatch, capsys):
    words = command(places, "--n", "20", "--seeds", "2", cache="again")
    assert main(words) == 0
    first = capsys.readouterr().out
    monkeypatch.setattr(RandomFeatures, "__call__", lambda *_: pytest.fail("features were made"))
    assert main(words) == 0
    assert capsys.readouterr().out == first


def test_refreshed_batch_statistics_are_said_and_another_protocol(places, capsys):
    words = ("--n", "20", "--seeds", "1", "--metrics", "fd", "--refresh", "64", "--out")
    assert main(command(places, *words, str(places / "refreshed.jsonl"))) == 0
    assert "recomputed statistics: mean of 64 samples" in capsys.readouterr().out
    assert main(command(places, *words[:-3], "--out", str(places / "as.jsonl"))) == 0
    refreshed, trained = (numbers_in(places / f"{n}.jsonl") for n in ("refreshed", "as"))
    assert refreshed["FD-random"].protocol.batch_norm == "mean of 64 samples"
    assert refreshed["FD-random"].value != trained["FD-random"].value
    both = [str(places / f"{name}.jsonl") for name in ("refreshed", "as")]
    assert main(["evaluate", "--compare", *both]) == 2
    assert "batch_norm 'mean of 64 samples' against 'as trained'" in capsys.readouterr().err
    assert main(command(places, "--refresh", "64", thing="other")) == 2
    assert "--refresh requires a run" in capsys.readouterr().err


def test_an_interrupted_evaluation_continues(places, monkeypatch, capsys):
    monkeypatch.setattr("ssgan.evaluation.features.CHUNK_ROWS", 8)
    words = command(places, "--n", "20", "--seeds", "1", "--batch", "4", cache="continued")
    plain, seen = RandomFeatures.__call__, []

    def stopping(self, images):
        if len(seen) == 8 and stop:
            raise KeyboardInterrupt
        seen.append(len(images))
        return plain(self, images)

    monkeypatch.setattr(RandomFeatures, "__call__", stopping)
    stop = True
    assert main(words) == 130
    assert "run the same command again to continue" in capsys.readouterr().err
    stop = False
    assert main(words) == 0
    # 20 reals and 12 fakes had been seen; the piece of 8 fakes was whole, the 4 after it were not
    assert sum(seen) == 20 + 12 + 12


def test_two_folders_are_measured_once(places, tmp_path, capsys):
    out = ["--out", str(tmp_path / "both.jsonl")]
    assert main(command(places, *out, "--held-out", str(places / "other"), thing="other")) == 0
    capsys.readouterr()
    results = numbers_in(tmp_path / "both.jsonl")
    real, other = RandomFeatures()(pictures(24, 1)), RandomFeatures()(pictures(24, 2))
    assert results["FD-random"].values == pytest.approx([frechet_distance(real, other)], rel=1e-5)
    assert results["FD-random"].protocol.seeds == ()
    assert results["authenticity (held out)"].value == results["authenticity"].value
    assert (tmp_path / "both-neighbours.png").exists()


def test_held_out_images_without_their_metric_are_refused_before_any_feature(
    places, tmp_path, monkeypatch, capsys
):
    """They were used although no rows had been kept for them: an assertion failed at the end."""
    monkeypatch.setattr(RandomFeatures, "__call__", lambda *_: pytest.fail("features were made"))
    held = ["--held-out", str(places / "other")]
    assert main(command(places, *held, "--metrics", "fd")) == 2
    assert "held-out images serve the metric authenticity alone" in capsys.readouterr().err
    stored, rows = tmp_path / "real.npz", np.eye(256)
    np.savez(stored, mu=rows[0], sigma=rows)
    assert main(command(places, *held, against=stored)) == 2
    printed = capsys.readouterr()
    assert "metric 'authenticity' is left out: statistics hold no single images" in printed.out
    assert "held-out images serve" in printed.err
    assert main(command(places, "--real-n", "5", against=stored)) == 2
    assert f"--real-n 5: {stored} holds statistics" in capsys.readouterr().err


def test_numbers_against_other_statistics_lie_in_another_place(places, tmp_path, monkeypatch):
    """pytorch-fid's files do not say of which images they are."""
    monkeypatch.chdir(tmp_path)
    for count in (300, 400):
        rows = np.random.default_rng(count).normal(size=(count, 256))
        stored = tmp_path / f"{count}.npz"
        np.savez(stored, mu=rows.mean(0), sigma=np.cov(rows.T))
        assert main(command(places, "--metrics", "fd", thing="other", against=stored)) == 0
    assert len(list((tmp_path / "evaluation").iterdir())) == 2


def test_statistics_are_written_and_read_with_pytorch_fids_names(places, tmp_path, capsys):
    path, out = tmp_path / "real.npz", ["--out", str(tmp_path)]
    assert main(command(places, "--write-stats", str(path), thing="real", against=None)) == 0
    stored = read_statistics(path)
    rows = RandomFeatures()(pictures(24, 1)).double().numpy()
    with np.load(path) as file:
        np.testing.assert_allclose(file["mu"], rows.mean(0), rtol=1e-5)
        np.testing.assert_allclose(file["sigma"], np.cov(rows.T), rtol=1e-3, atol=1e-6)
    assert stored.protocol.num_real == 24
    foreign = tmp_path / "foreign.npz"
    np.savez(foreign, mu=stored.mean.numpy(), sigma=stored.covariance.numpy())
    values = []
    for against in (places / "real", path, foreign):
        assert main(command(places, *out, "--seeds", "1", "--n", "24", against=against)) == 0
        values.append(numbers_in(tmp_path / "results.jsonl")["FD-random"].value)
    printed = capsys.readouterr().out
    assert values == pytest.approx([values[0]] * 3, rel=1e-5)
    assert "only the Frechet distance can be measured" in printed


def test_unlike_protocols_are_refused_and_like_ones_compared(places, tmp_path, capsys):
    files = [str(tmp_path / f"{n}.jsonl") for n in (20, 24)]
    for n, path in zip((20, 24), files, strict=True):
        assert main(command(places, "--n", str(n), "--seeds", "1", "--out", path)) == 0
    capsys.readouterr()
    assert main(["evaluate", "--compare", *files]) == 2
    error = capsys.readouterr().err
    assert "num_real 20 against 24; num_fake 20 against 24" in error
    assert len(error.strip().splitlines()) == 1
    assert main(["evaluate", "--compare", files[0]]) == 0
    assert "run, step 3" in capsys.readouterr().out


def test_the_run_s_own_discriminator_serves_as_features(places, tmp_path, capsys):
    words = command(places, "--n", "20", "--seeds", "1", "--out", str(tmp_path))
    words[words.index("random")] = "discriminator"
    assert main(words) == 0
    capsys.readouterr()
    assert "FD-D-of-run-step-3" in numbers_in(tmp_path / "results.jsonl")
    words[1:2] = [str(places / "other"), "--weights", str(places / "run")]
    words[-1] = str(tmp_path / "of-other")
    assert main(words) == 0
    assert "FD-D-of-run-step-3" in numbers_in(tmp_path / "of-other" / "results.jsonl")


def test_a_generator_that_makes_nan_ends_with_one_line(places, tmp_path, capsys):
    state = lively_state(tiny())
    with torch.no_grad():
        next(state.generator_ema.parameters()).fill_(3e38)  # finite, and its outputs are not
    save_run(tmp_path / "broken", state=state)
    words = command(places, "--n", "20")
    words[1] = str(tmp_path / "broken")
    assert main(words) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert "image 0 of seed 0 holds NaN or infinity" in error


def test_a_run_alone_is_compared_with_the_held_out_images_of_its_source(places, tmp_path, capsys):
    out = tmp_path / "results.jsonl"
    words = command(places, "--n", "20", "--seeds", "1", "--out", str(out), against="")
    assert main(words) == 0
    held_out = Scenes(num_images=20).held_out().name()
    line = f"note: against {held_out}, the held-out images of scenes:num_images=20\n"
    assert capsys.readouterr().out.startswith(line)
    assert {result.against for result in read_results(out)} == {held_out}


def test_a_run_on_a_folder_alone_is_compared_with_its_training_images_and_says_so(
    places, tmp_path, capsys
):
    config, layout = tiny(), RunDirectory(tmp_path / "own")
    config = replace(config, data=replace(config.data, source=Folder(str(places / "real"))))
    layout.root.mkdir()
    write_json(layout.config, dump(config))
    checkpoint.CheckpointWriter(layout, config, "ab" * 32, ()).save(lively_state(config))
    out = tmp_path / "results.jsonl"
    words = ["evaluate", str(layout.root), *RANDOM, "--n", "20", "--seeds", "1", "--out", str(out)]
    assert main([*words, "--cache", str(places / "cache"), "--metrics", "fd"]) == 0
    line = f"note: against folder:{places / 'real'}, the run's training images, because it has no"
    assert capsys.readouterr().out.startswith(line)
    assert [result.against for result in read_results(out)] == [f"folder:{places / 'real'}"]


BAD = [
    ([], "takes one run, checkpoint, folder or source"),
    (["REAL"], "needs --against"),
    (["RUN", "--against", "REAL", "--n", "many"], "--n must be a whole number"),
    (["RUN", "--against", "REAL", "--n", "--5"], "--n must be a whole number"),
    (["RUN", "--against", "REAL", "--n", "9" * 5000], "--n must be a whole number"),
    (["RUN", "--against", "REAL", "--n", "0"], "--n must be a whole number, 1 or more"),
    (["RUN", "--against", "REAL", "--metrics", "fd,fid"], "no metric 'fid'"),
    (
        ["RUN", "--against", "REAL", "--resize", "nearest"],
        "--resize must be one of tf1-bilinear, half-pixel-bilinear, clean-bicubic, not 'nearest'",
    ),
    (["RUN", "--against", "REAL", "--features", "vgg"], "no features 'vgg'"),
    (["RUN", "--against", "REAL", "--weights", "absent.pth"], "no weight file at absent.pth"),
    (["RUN", "--against", "REAL", "--features", "inception"], "no Inception weights; get them by"),
    (["RUN", "--against", "EMPTY", *RANDOM], "the folder is empty"),
    (["RUN", "--against", "/no/such/place", *RANDOM], "/no/such/place"),
    (["RUN", "--against", "RUN", *RANDOM], "--against and --held-out expect images, not a run"),
    (["RUN", "--against", "REAL", "--real-n", "25", *RANDOM], "has 24 images"),
    (["RUN", "--against", "REAL", "--metrics", "kid", *RANDOM], "kid is not available"),
    (["RUN", "--against", "REAL", "--step", "8", *RANDOM], "no checkpoint of step 8; it has 3"),
    (["RUN", "--against", "REAL", "--size", "64", *RANDOM], "--size 64"),
    (["RUN", "--against", "REAL", "--write-stats", "stats", *RANDOM], "must end in .npz"),
    (["REAL", "--write-stats", "s.npz", "--real-n", "5", *RANDOM], "--real-n requires --against"),
    (["REAL", "--write-stats", "s.npz", "--held-out", "REAL"], "--held-out requires --against"),
    (["REAL", "--best", "--against", "REAL", *RANDOM], "choose a state of a run"),
    (["RUN", "--best", "--against", "REAL", "--features", "discriminator"], "averaged generator"),
    (["--compare"], "needs the .jsonl files"),
    (["--compare", "absent.jsonl"], "no results at absent.jsonl"),
]


@pytest.mark.parametrize(("words", "expected"), BAD, ids=[" ".join(words)[:50] for words, _ in BAD])
def test_bad_input_gets_one_line_and_exit_code_2(
    places, words, expected, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    for name in (
        "evaluation.feature_networks", "metrics.inception.features", "metrics.efficientnet_lite0"
    ):  # fmt: skip
        monkeypatch.setattr(f"ssgan.{name}.find_package_file", lambda *_: None)
    (places / "empty").mkdir(exist_ok=True)
    known = {name: str(places / name.lower()) for name in ("RUN", "REAL", "EMPTY")}
    assert main(["evaluate", *(known.get(word, word) for word in words)]) == 2
    *progress, error = capsys.readouterr().err.strip().splitlines()
    assert expected in error
    assert all(line.startswith("preparing images") for line in progress)
    assert list(tmp_path.iterdir()) == []


def test_help_names_every_option(capsys):
    assert main(["evaluate", "--help"]) == 0
    printed = capsys.readouterr().out
    for field in list_fields(Evaluate):
        assert field.name in printed, field.name


def test_a_result_line_is_plain_json(places, tmp_path, capsys):
    assert main(command(places, "--metrics", "fd", "--n", "20", "--out", str(tmp_path))) == 0
    (line,) = (tmp_path / "results.jsonl").read_text().splitlines()
    row = json.loads(line)
    assert row["name"] == "FD-random"
    assert len(row["values"]) == 3
    assert row["protocol"]["seeds"] == [0, 1, 2]


def test_what_is_measured_of_a_run_s_file_lies_in_the_run(places, capsys):
    file = RunDirectory(places / "run").checkpoint(3)
    out = places / "run" / "evaluation"
    before = set(out.glob("*"))
    words = command(places, "--n", "10", "--metrics", "fd", thing=file.relative_to(places))
    assert main(words) == 0
    (made,) = set(out.glob("*")) - before
    assert (made / "results.jsonl").exists()
    assert main(["sample", str(file), "--n", "1"]) == 0
    assert (places / "run" / "generated-seed-0" / "images" / "image-00000.png").exists()
    capsys.readouterr()
