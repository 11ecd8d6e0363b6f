"""Data sets of the hub as a user types them, through a stand-in for `datasets`."""

from types import SimpleNamespace

import pytest

from ssgan.cli.main import main
from ssgan.data import pieces
from tests.data.hub import ClassLabel, Value, install

QUICK = ["--total_steps", "1", "--batch_size", "4", "--evaluate.every", "0"]
SMALL = ["--generator.width", "0.02", "--discriminator.width", "0.05"]
CONDITIONAL = ["--method", "ConditionalGAN", "--generator.norm", "ConditionalBatchNorm"]


@pytest.fixture
def table(monkeypatch, tmp_path):
    """Six pictures with two columns of classes and one of words."""
    monkeypatch.setenv("SSGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    table = install(monkeypatch, [])
    table.features |= {"coarse": ClassLabel(["low", "high"]), "word": Value("string")}
    for row in table.rows:
        row |= {"coarse": row["id"] // 3, "word": f"w{row['id'] % 3}"}
    return table


@pytest.fixture
def undecoded(monkeypatch):
    """Nothing may be decoded."""

    def fail(*args):
        raise AssertionError("a picture was decoded")

    monkeypatch.setattr(pieces, "make_chunk", fail)


def one_line(capsys):
    error = capsys.readouterr().err.strip().splitlines()
    assert len(error) == 1
    return error[0]


def test_images_train_without_labels_where_two_columns_have_them(table, capsys):
    words = ["train", "--data", "hub:a/b@v1", "--run", "r", *QUICK, *SMALL]
    assert main(words) == 0
    output = capsys.readouterr().out
    assert output.count("note: ") == 1
    assert "no labels are used" in output


def test_a_conditional_method_names_the_source_to_give_before_decoding(table, undecoded, capsys):
    words = ["train", "--data", "hub:a/b@v1", "--run", "r", *QUICK, *SMALL, *CONDITIONAL]
    assert main(words) == 2
    error = one_line(capsys)
    assert "ConditionalGAN needs labels, and hub:a/b@v1 has none" in error
    assert "give 'hub:a/b@v1?label=label' or 'hub:a/b@v1?label=coarse'" in error


def test_a_partly_labelled_column_is_refused_before_decoding(table, undecoded, capsys):
    table.rows[2]["coarse"] = -1
    source = "hub:a/b@v1?label=coarse"
    assert main(["train", "--data", source, "--run", "r", *QUICK, *SMALL, *CONDITIONAL]) == 2
    assert "has labels for 5 of its 6 images: S3GAN learns from some" in one_line(capsys)


@pytest.mark.parametrize("way", ["source", "flag", "file"])
def test_a_column_is_chosen_in_the_source_by_a_flag_or_in_a_file(way, table, tmp_path, capsys):
    table.features["picture"] = table.features["img"]  # now two columns hold images
    for row in table.rows:
        row["picture"] = row["img"]
    (tmp_path / "s.toml").write_text(
        '[data.source]\nlabel_column = "coarse"\nimage_column = "picture"\n'
    )
    source, more = {
        "source": ("hub:a/b@v1?label=coarse&image=picture", []),
        "file": ("hub:a/b@v1", ["--config", "s.toml"]),
        "flag": (
            "hub:a/b@v1",
            ["--data.source.label_column", "coarse", "--data.source.image_column", "picture"],
        ),
    }[way]
    words = ["train", "--data", source, *more, "--run", "r", *QUICK, *SMALL, *CONDITIONAL]
    assert main(words) == 0
    capsys.readouterr()
    assert main(["sample", "r", "--n", "1", "--class", "hihg"]) == 2
    said = one_line(capsys)
    assert "no class 'hihg'; the classes are " in said
    assert said.rstrip().endswith("; did you mean high?")


def test_the_folder_of_a_run_has_no_signs_of_the_notation_in_its_name(table, tmp_path):
    assert main(["train", "--data", "hub:a/b@v1?label=coarse", *QUICK, *SMALL]) == 0
    (folder,) = (tmp_path / "runs").iterdir()
    assert folder.name.startswith("b@v1-")


def test_data_prepare_takes_the_same_notation(table, capsys):
    assert main(["data", "prepare", "hub:a/b@v1?label=word"]) == 0
    assert "classes:      3 (w0 2, w1 2, w2 2)" in capsys.readouterr().out


def test_a_probe_names_the_columns_that_may_hold_classes_before_decoding(
    table, undecoded, tmp_path, capsys, monkeypatch
):
    del table.features["label"], table.features["coarse"]
    monkeypatch.setattr("ssgan.cli.probe.open_discriminator", lambda *rest: None)
    state = SimpleNamespace(file=tmp_path / "x.ckpt", step=1)
    monkeypatch.setattr("ssgan.cli.probe.list_states", lambda *rest: [state])
    assert main(["probe", "r", "--data", "hub:a/b@v1", "--out", "p"]) == 2
    error = one_line(capsys)
    assert "hub:a/b@v1 has no labels: a probe needs them" in error
    assert "if one of id (int64), word (string) holds classes" in error
    assert "'hub:a/b@v1?label=word'" in error


def test_forget_names_the_source_to_give(table, undecoded, capsys):
    assert main(["forget", "--data", "hub:a/b@v1", "--out", "f"]) == 2
    assert "give 'hub:a/b@v1?label=label'" in one_line(capsys)


def test_an_evaluation_goes_on_without_labels_with_one_note(table, capsys):
    for row in table.rows:
        row["label"] = -1
    source = "hub:a/b@v1?label=label"
    words = ["evaluate", source, "--against", "scenes:num_images=8", "--features", "random"]
    assert main([*words, "--n", "6", "--out", "e.json"]) == 0
    shown = capsys.readouterr()
    assert (shown.out + shown.err).count("no row has a label in column label") == 1
