"""`--fit`: how pictures become squares, from the command line to the numbers of an evaluation."""

import json

import numpy as np
import pytest

from ssgan.cli.config_args import default_directory
from ssgan.cli.main import main
from ssgan.data.folder import Folder
from ssgan.data.prepare import prepare
from ssgan.evaluation.inputs import common_preprocessing, parse_input
from ssgan.evaluation.results import read_results
from ssgan.runs.config_io import first_form, load_config
from ssgan.types import UserError
from tests.cli.test_main import TINY
from tests.data.pictures import noise, preprocessing
from tests.training.tiny import tiny


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """Twelve pictures of three to one, and a run on them with `--fit pad`."""
    root = tmp_path_factory.mktemp("fit")
    (root / "photos").mkdir()
    for number in range(12):
        noise(number, 96, 32).save(root / "photos" / f"{number:02d}.png")
    assert main(train(root, "run", "--fit", "pad")) == 0
    return root


def train(root, name, *words):
    places = ["--run", str(root / name), "--cache", str(root / "cache")]
    return [
        "train",
        "--data",
        str(root / "photos"),
        *TINY,
        "--evaluate.every",
        "0",
        *places,
        *words,
    ]


def test_a_run_says_what_a_cut_loses_and_nothing_where_nothing_is_lost(places, capsys):
    assert main(train(places, "cut")) == 0
    line = "cut to squares: 12 of 12 pictures lose 67 % of their area"
    assert capsys.readouterr().out.count(line) == 1
    assert main(train(places, "padded", "--fit", "pad")) == 0
    assert "lose" not in capsys.readouterr().out


def test_the_fit_is_a_stored_setting_of_the_data_that_a_run_keeps(places, capsys):
    stored = json.loads((places / "run" / "config.json").read_bytes())
    assert stored["data"]["fit"] == "pad"
    assert main(train(places, "run", "--fit", "squash")) == 2
    assert "data.fit: pad before, squash now" in capsys.readouterr().err


def test_it_trains_on_the_whole_pictures(places):
    manifest = json.loads((places / "run" / "manifest.json").read_bytes())
    source = Folder(str(places / "photos"))
    padded = prepare(source, preprocessing(manifest["size"], fit="pad"), places / "cache")
    assert manifest["content_hash"] == padded.content_hash
    assert manifest["fit"] == "pad"
    side = manifest["size"]
    assert (np.asarray(padded.images)[:, : side // 3 - 1] == 255).all()


def test_settings_without_a_fit_are_those_of_before(places):
    config = tiny()
    assert "fit" not in first_form(config)["data"]
    table = json.loads((places / "run" / "config.json").read_bytes())
    del table["data"]["fit"]
    assert load_config(table).data.fit == "crop"
    padded = load_config(table | {"data": table["data"] | {"fit": "pad"}})
    names = {default_directory(None, one) for one in (load_config(table), padded)}
    assert len(names) == 2


def test_data_prepare_takes_the_fit(places, capsys):
    words = ["data", "prepare", str(places / "photos"), "--cache", str(places / "cache")]
    assert main([*words, "--size", "32", "--fit", "squash"]) == 0
    squashed = capsys.readouterr().out
    assert main([*words, "--size", "32"]) == 0
    cut = capsys.readouterr().out
    assert "lose 67 %" in cut
    assert "lose" not in squashed
    hashes = {text.split("content hash: ")[1] for text in (squashed, cut)}
    assert len(hashes) == 2


def evaluate(places, thing, *words):
    given = ["--against", str(places / "photos"), "--features", "random", "--metrics", "fd"]
    out = places / "out" / f"{thing}.jsonl"
    places_ = ["--cache", str(places / "cache"), "--out", str(out)]
    code = main(["evaluate", str(places / thing), *given, "--n", "12", *places_, *words])
    return code, read_results(out) if code == 0 else []


def test_an_evaluation_prepares_real_images_as_the_run_did_and_stores_it(places, capsys):
    code, (result,) = evaluate(places, "run")
    assert code == 0
    manifest = json.loads((places / "run" / "manifest.json").read_bytes())
    assert result.protocol.fit == "pad"
    assert result.protocol.content == manifest["content_hash"]
    assert "fit pad" in capsys.readouterr().out
    assert evaluate(places, "run", "--fit", "crop")[0] == 2
    assert "conflicts with --fit crop" in capsys.readouterr().err


def test_two_sets_are_compared_with_the_fit_that_is_given(places, capsys):
    assert evaluate(places, "photos")[1][0].protocol.fit == "crop"
    assert "cut to squares: 12 of 12" in capsys.readouterr().out
    assert evaluate(places, "photos", "--fit", "squash")[1][0].protocol.fit == "squash"
    assert "cut to squares" not in capsys.readouterr().out
    sources = [parse_input(str(places / "photos"))]
    assert common_preprocessing(sources, None, None, "pad")[0].fit == "pad"
    run = parse_input(str(places / "run"))
    assert common_preprocessing([run, *sources], None, None)[0].fit == "pad"
    with pytest.raises(UserError, match=r"data\.fit pad, which conflicts with --fit squash"):
        common_preprocessing([run], None, None, "squash")
