"""The commands as a user types them: exit codes, one clear line, files where they are said."""

import errno
import json
import os

import numpy as np
import pytest
from PIL import Image

from ssgan.cli.main import main
from ssgan.files.run_directory import RunDirectory
from ssgan.types import NonFinite
from tests.data.pictures import write_images

TINY = [
    "--generator.width", "0.03", "--discriminator.width", "0.06", "--batch_size", "8",
    "--total_steps", "2", "--output.log_every", "1", "--output.sample_rows", "2",
    "--evaluate.images", "16",
]  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A conditional run of two steps on a few scenes."""
    root = tmp_path_factory.mktemp("runs") / "scenes"
    source = ["--data", "scenes:num_images=40"]
    config = tmp_path_factory.mktemp("config") / "mine.toml"
    config.write_text(
        "[output]\ncheckpoint_every = 1\n[evaluate]\nevery = 1\nimages = 16\nshown = 8\n"
    )
    command = ["train", "scenes:conditional", *source, "--run", str(root), "--config", str(config)]
    assert main([*command, *TINY]) == 0
    return root, [*command, *TINY]


def test_a_run_directory_holds_what_is_documented(trained):
    layout = RunDirectory(trained[0])
    for path in (layout.config, layout.environment, layout.manifest, layout.best_checkpoint()):
        assert path.exists(), path
    assert [p.name for p in layout.checkpoint_files()] == [
        "step-00000002.ckpt", "step-00000001.ckpt",
    ]  # fmt: skip
    rows = [json.loads(line) for line in layout.log.read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2]
    assert {"images_seen", "seconds", "D/adversarial", "G/adversarial"} <= rows[0].keys()
    assert list(layout.tensorboard.iterdir())
    with Image.open(layout.sample(2)) as picture:
        assert picture.width >= 400


def test_a_run_begins_with_a_warning_where_turning_makes_no_sense_for_the_images(tmp_path, capsys):
    write_images(tmp_path / "noise", range(100), size=16)
    data = ["--data", f"folder:{tmp_path / 'noise'}", "--data.image_size", "32"]
    warning = "rotation prediction may not suit these images"
    told = {"SSGAN": True, "SSGANMS": True, "RotationOnly": True, "GAN": False}
    for number, (method, said) in enumerate(told.items()):
        command = ["train", *data, "--run", str(tmp_path / str(number)), "--method", method, *TINY]
        for begins in (True, False):  # said at the start, not whenever the run continues
            assert main([*command, "--evaluate.every", "0"]) == 0
            assert (warning in capsys.readouterr().out) == (said and begins)


def test_the_same_command_again_finds_nothing_to_do(trained, capsys):
    assert main(trained[1]) == 0
    assert "nothing to do" in capsys.readouterr().out


def test_more_steps_continue_the_run_and_its_directory_is_enough(trained, capsys):
    assert main(["train", str(trained[0]), "--total_steps", "3"]) == 0
    rows = RunDirectory(trained[0]).log.read_text().splitlines()
    assert [json.loads(row)["step"] for row in rows] == [1, 2, 3]


def test_fewer_steps_than_done_are_refused_and_the_run_still_says_its_own(trained, capsys):
    assert main(["train", str(trained[0]), "--total_steps", "1"]) == 2
    assert "beyond total_steps 1" in capsys.readouterr().err
    assert main(["train", str(trained[0])]) == 0
    assert str(RunDirectory(trained[0]).newest_sample()) in capsys.readouterr().out


def test_a_run_is_not_continued_in_another_directory(trained, tmp_path, capsys):
    other = tmp_path / "other"
    assert main(["train", str(trained[0]), "--run", str(other), "--total_steps", "9"]) == 2
    assert f"continues in its own directory, not in --run {other}" in capsys.readouterr().err
    assert not other.exists()


def test_a_run_is_continued_where_it_is_also_when_that_is_said(trained, monkeypatch, capsys):
    monkeypatch.chdir(trained[0].parent)
    assert main(["train", trained[0].name, "--run", f"{trained[0]}/"]) == 0
    assert f"nothing to do: {trained[0].name} is at step" in capsys.readouterr().out


def test_the_default_directory_does_not_know_what_the_machine_is_fast_at(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    for precision in ("float32", "bfloat16"):
        monkeypatch.setattr(
            "ssgan.training.resume.resolve_precision", lambda *_, found=precision: found
        )
        assert main(["train", "scenes:gan", "--data", "scenes:num_images=40", *TINY]) == 0
    assert len(list((tmp_path / "runs").iterdir())) == 1
    assert "nothing to do" in capsys.readouterr().out


def test_the_default_directory_does_not_know_whether_a_run_recomputes(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    for recompute in ("false", "true"):
        words = ["--data", "scenes:num_images=40", *TINY, "--activation_checkpointing", recompute]
        assert main(["train", "scenes:gan", *words]) == 0
    assert len(list((tmp_path / "runs").iterdir())) == 1
    assert "nothing to do" in capsys.readouterr().out


def test_another_setting_is_refused_in_a_used_directory(trained, capsys):
    assert main([*trained[1], "--seed", "5"]) == 2
    error = capsys.readouterr().err
    assert "seed: 0 before, 5 now" in error
    assert len(error.strip().splitlines()) == 1


def test_sample_writes_images_alone_and_a_sheet_and_a_walk_beside_them(trained, tmp_path, capsys):
    out = tmp_path / "images"
    words = ["sample", str(trained[0]), "--n", "5", "--seed", "3", "--out", str(out), "--gif"]
    assert main(words) == 0
    names = sorted(path.name for path in out.iterdir() if path.name[0] != ".")
    beside = ["interpolation.gif", "interpolation.png", "samples.json", "sheet.png"]
    assert names == ["images", *beside]
    images = [f"images/image-{number:05d}.png" for number in range(5)]
    assert sorted(str(path.relative_to(out)) for path in (out / "images").iterdir()) == images
    with Image.open(out / images[0]) as image:
        assert (image.size, image.mode) == ((32, 32), "RGB")
    fewer = tmp_path / "fewer"
    assert main([*words[:3], "2", *words[4:7], str(fewer)]) == 0
    for name in images[:2]:
        with Image.open(out / name) as a, Image.open(fewer / name) as b:
            assert np.array_equal(np.asarray(a), np.asarray(b))


def test_sample_from_the_best_of_one_class(trained, tmp_path):
    words = ["sample", str(trained[0]), "--n", "1", "--best", "--class", "snowman"]
    assert main([*words, "--out", str(tmp_path)]) == 0
    assert (tmp_path / "images" / "image-00000.png").exists()


def test_show_tells_the_step_and_draws_the_curves(trained, tmp_path, capsys):
    target = tmp_path / "curves.png"
    assert main(["show", str(trained[0]), "--curves", str(target), "--settings"]) == 0
    printed = capsys.readouterr().out
    assert "ConditionalGAN" in printed
    assert "FD-random" in printed
    assert "generator_optimizer.beta2" in printed
    with Image.open(target) as picture:
        assert picture.width > 300


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["show", "RUN", "--curves", "x.foo"], "x.foo: curves are drawn to a file that ends in"),
        (["show", "RUN", "--curves", "file/x.png"], "file cannot be written or read"),
        (["show", "RUN", "--curves", "folder.png"], "folder.png cannot be written or read"),
        (["sample", "RUN", "--n", "1", "--out", "file"], "file cannot be written or read"),
        (["sample", "RUN", "--n", "1", "--out", "file/x"], "file/x cannot be written or read"),
    ],
)
def test_a_place_that_cannot_be_written_is_said_in_one_line(
    words, expected, trained, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    (tmp_path / "folder.png").mkdir()
    assert main([str(trained[0]) if word == "RUN" else word for word in words]) == 2
    (said,) = [line for line in capsys.readouterr().err.splitlines() if "image" not in line]
    assert said.startswith("ssgan: ")
    assert expected in said


@pytest.mark.parametrize("words", [["show", "--curves", "x.png"], ["sample", "--n", "1"]])
def test_a_full_disk_ends_any_command_with_its_code(words, trained, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    out = ["--out", "images"] if words[0] == "sample" else []

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    assert main([words[0], str(trained[0]), *words[1:], *out]) == 74
    assert "disk full" in capsys.readouterr().err


def test_dry_run_counts_and_writes_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["train", "scenes:ssgan", "--dry-run", *TINY]) == 0
    printed = capsys.readouterr().out
    assert "D reads 58 images" in printed  # 8 + 3 x 2 + 8 in its step, 8 + 3 x 2 in G's
    assert "GFLOP" in printed
    assert list(tmp_path.iterdir()) == []


def test_dry_run_knows_the_paper_s_counts(capsys):
    assert main(["train", "cifar10:ssgan", "--data", "scenes:num_images=64", "--dry-run",
                 "--batch_size", "4", "--discriminator_updates", "1"]) == 0  # fmt: skip
    printed = capsys.readouterr().out
    assert "5,849,603 weights" in printed
    assert f"{1_483_137 + 516:,} weights" in printed


PENALTY = ["--method.penalty", "WGANGP", "--method.penalty.weight"]
SNDCGAN = ["--generator", "SNDCGANGenerator", "--discriminator", "SNDCGANDiscriminator"]
BEYOND = "99999999999999999999"
BAD = [
    (["tain"], "did you mean train?"),
    (["train"], "needs a recipe or --data"),
    (["train", "scenes:ssgna"], "did you mean scenes:ssgan?"),
    (["train", "scenes:ssgan", "--method.alhpa", "1"], "did you mean method.alpha?"),
    (["train", "scenes:ssgan", "--batch_size", "1.5"], "batch_size must be"),
    (["train", "scenes:ssgan", "--batch_size"], "--batch_size needs a value"),
    (["train", "scenes:ssgan", "--run", "--dry-run"], "--run needs a value"),
    (["train", "scenes:ssgan", "--method.alpha", "nan"], "method.alpha"),
    (["train", "scenes:ssgan", "--method", "GNA"], "GAN"),
    (["train", "scenes:ssgan", "--config", "absent.toml"], "absent.toml"),
    (["train", "scenes:ssgan", "--data.image_size", "33"], "33"),
    (["train", "scenes:conditional", "--generator.norm", "BatchNorm"], "ConditionalBatchNorm"),
    (["train", "scenes:gan", "--generator.norm", "ConditionalBatchNorm"], "needs labels"),
    (["train", "scenes:ssgan", "--device", "abacus"], "abacus"),
    (["train", "--data", "folder:/no/such/place"], "/no/such/place"),
    (["train", "a", "b"], "train takes one RECIPE|RUN, not a b"),
    (["train", "scenes:ssgan", "--method.alpha", "-1"], "method.alpha must be a finite number"),
    (["train", "scenes:rotation_only", "--method.beta", "-1"], "method.beta must be a finite"),
    (["train", "scenes:gan", *PENALTY, "-1"], "method.penalty.weight must be a finite number"),
    (["train", "scenes:gan", "--generator.latent_size", "0"], "latent_size must be at least 1"),
    (["train", "scenes:gan", "--data", "scenes:num_images=1"], "needs at least 2 images"),
    (["train", "scenes:gan", *SNDCGAN, "--accumulation", "32"], "give parts of at least 2"),
    (["train", "scenes:ssgan", "--batch_size", BEYOND], f"below 2^64, not {BEYOND}"),
    (["train", "scenes:ssgan", "--total_steps", BEYOND], f"below 2^64, not {BEYOND}"),
    (["train", "scenes:ssgan", "--seed", f"-{BEYOND}"], f"below 2^64, not -{BEYOND}"),
    (["train", "scenes:ssgan", "--discriminator_updates", "1001"], "must be at most 1,000, not"),
    (["train", "scenes:ssgan", "--output.sample_rows", "101"], "must be at most 100, not 101"),
    (["train", "scenes:ssgan", "--processes", BEYOND], "--processes must be at most 9,223,37"),
    (["sample", "/no/such/run"], "/no/such/run"),
    (["sample", "/no/such/run", "--n", "100001"], "--n must be at most 100,000, not 100001"),
    (["sample", "/no/such/run", "--steps", "257"], "--steps must be at most 256, not 257"),
    (["sample", "/no/such/run", "--steps", "1"], "--steps must be a whole number, 2 or more"),
    (["evaluate", "run", "--against", "a", "--seeds", "1001"], "--seeds must be at most 1,000"),
    (["forget", "--data", "scenes", "--out", "x", "--cycles", "1001"], "cycles must be at most 1,"),
    (["study", "table1", "--seeds", "101"], "--seeds must be at most 100, not 101"),
    (["sample"], "sample needs RUN: a run directory, a checkpoint, a model's file"),
    (["show", "/no/such/run"], "/no/such/run"),
    (["demo", "fast"], "fast"),
    (["data", "prepare", "folder:/no/such/place"], "/no/such/place"),
    (["data", "prepare"], "data needs SOURCE"),
    (["data", "scenes"], "data takes inspect|prepare SOURCE, not scenes"),
    (["data", "prepare", "scenes", "--channels", "2"], "must be one of 1, 3, 4"),
    (
        ["data", "prepare", f"scenes:num_images={BEYOND}"],
        "num_images must be at most 2,147,483,647",
    ),
    (
        ["train", "scenes:gan", "--generator", "5"],
        ", or a table, not 5 (from --generator)",
    ),
    (["data", "prepare", "scenes", "--background", "red"], "255,255,255"),
]


@pytest.mark.parametrize(("words", "expected"), BAD, ids=lambda value: " ".join(value)[:40])
def test_bad_input_gets_one_line_and_exit_code_2(words, expected, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    error = capsys.readouterr().err
    assert expected in error
    assert len(error.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "words", [["--help"], ["train", "--help"], ["sample", "-h"], ["show", "-h"]]
)
def test_help_is_help(words, capsys):
    assert main(words) == 0
    assert "usage: ssgan" in capsys.readouterr().out


def test_a_recipe_s_help_lists_every_setting_with_its_comment(capsys):
    assert main(["train", "scenes:ssgan", "--help"]) == 0
    printed = capsys.readouterr().out
    assert "method.alpha" in printed
    assert "weight of the rotation term in L_G" in printed
    assert "generator.norm" in printed


def test_another_loss_and_a_penalty_need_no_file(tmp_path, capsys):
    words = [
        "train",
        "scenes:ssgan",
        "--data",
        "scenes:num_images=16",
        "--run",
        str(tmp_path / "r"),
    ]
    kinds = ["--method.adversarial", "NonSaturating", "--method.penalty", "WGANGP"]
    kinds += ["--method.penalty.weight", "1", "--generator.norm", "SelfModulatedBatchNorm"]
    assert main([*words, *TINY, *kinds]) == 0
    stored = json.loads((tmp_path / "r" / "config.json").read_text())
    assert stored["method"]["penalty"]["weight"] == 1
    assert stored["method"]["adversarial"]["kind"].endswith("NonSaturating")
    assert stored["generator"]["norm"]["kind"].endswith("SelfModulatedBatchNorm")


def test_another_upsampling_or_norm_reaches_a_run_that_can_be_sampled(tmp_path):
    found = set()
    for name, value in (("upsampling", "zero"), ("upsampling", "bilinear"), ("norm", "LayerNorm")):
        root = tmp_path / value
        words = ["train", "scenes:ssgan", "--data", "scenes:num_images=16", *TINY]
        words += [f"--generator.{name}", value, "--evaluate.every", "0"]
        assert main([*words, "--run", str(root)]) == 0
        assert main(["sample", str(root), "--n", "1"]) == 0
        last = json.loads((root / "log.jsonl").read_text().splitlines()[-1])
        found.add(last["G/adversarial"])
    assert len(found) == 3


def test_dragan_reaches_a_run_and_its_numbers_the_log(tmp_path):
    """In parts, whose noise is drawn by place; with the weight alone another run results."""
    found = []
    for weight in ("1", "1", "2"):
        root = tmp_path / f"{len(found)}"
        words = ["train", "scenes:ssgan", "--data", "scenes:num_images=16", *TINY]
        words += ["--method.penalty", "DRAGAN", "--method.penalty.weight", weight]
        words += ["--discriminator_updates", "1", "--evaluate.every", "0"]
        assert main([*words, "--accumulation", "2", "--run", str(root)]) == 0
        rows = [json.loads(line) for line in (root / "log.jsonl").read_text().splitlines()]
        found.append([row["D/penalty"] for row in rows])
    assert found[0] == found[1]
    assert all(number > 0 for number in found[0])
    assert found[0][0] == found[2][0]
    assert found[0][1] != found[2][1]


def test_data_prepare_says_what_is_there_and_trains_skip_it(tmp_path, capsys):
    folder = tmp_path / "photos"
    for name in ("cats/a.png", "cats/b.png", "dogs/c.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(len(name)).integers(0, 256, (40, 50, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / name)
    (folder / "dogs" / "broken.jpg").write_bytes(b"no picture")
    cache = ["--cache", str(tmp_path / "cache")]
    assert main(["data", "prepare", f"folder:{folder}", *cache]) == 0
    printed = capsys.readouterr().out
    assert "3 images of 32 x 32 pixels, colour" in printed
    assert "2 (cats 2, dogs 1)" in printed
    assert "broken.jpg" in printed
    assert main(["data", "prepare", f"folder:{folder}", *cache, "--strict"]) == 2


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("could not create a primitive"),  # oneDNN's
    ],
)
def test_too_little_memory_is_one_line(error, monkeypatch, capsys):
    def fails(argv):
        raise error

    for verb in ("train", "show"):
        monkeypatch.setattr(f"ssgan.cli.{verb}.main", fails)
        assert main([verb, "run"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "ssgan: not enough memory for this; the same run needs less with "
        "--activation_checkpointing true (residual networks), a new run with --accumulation N or a "
        "smaller batch, width or image size; "
        "what was saved is whole",
        "ssgan: not enough memory for this; what was saved is whole",
    ]


def test_a_bad_number_s_advice_is_for_a_new_run_alone(monkeypatch, capsys):
    """A run's learning rate is what it is: another is refused where it is continued."""

    def fails(argv):
        raise NonFinite("step 3: not a finite number: D/rotation; the update was refused")

    monkeypatch.setattr("ssgan.cli.train.main", fails)
    assert main(["train", "scenes:gan"]) == 70
    assert capsys.readouterr().err == (
        "ssgan: step 3: not a finite number: D/rotation; the update was refused; the newest "
        "checkpoint is whole; in a new run, a lower learning rate may help\n"
    )


def test_a_batch_that_no_machine_holds_is_too_much_memory(capsys):
    count = 2**31 - 1
    words = ["--data", "scenes:num_images=40", *TINY[:4], "--batch_size", str(count), "--dry-run"]
    assert main(["train", "scenes:gan", *words]) == 2
    refusal = capsys.readouterr().err
    assert refusal.startswith("ssgan: this run needs more than ")
    assert "most of it is for batch_size" in refusal


@pytest.mark.parametrize("width", ["1e9", "1e15", "1e30"])
def test_more_weights_than_can_be_counted_are_too_much_memory(width, capsys):
    words = ["--data", "scenes:num_images=40", *TINY[2:], "--generator.width", width, "--dry-run"]
    assert main(["train", "scenes:gan", *words]) == 2
    assert "have more weights than can be counted" in capsys.readouterr().err


def test_another_runtime_error_is_not_hidden(monkeypatch):
    def fails(argv):
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr("ssgan.cli.show.main", fails)
    with pytest.raises(RuntimeError, match="a fault of ours"):
        main(["show", "run"])
