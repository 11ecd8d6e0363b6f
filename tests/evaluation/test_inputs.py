import numpy as np
import pytest

from ssgan.data.folder import Folder
from ssgan.data.scenes.source import Scenes
from ssgan.evaluation.image_sets import StoredStatistics
from ssgan.evaluation.inputs import common_preprocessing, parse_input
from ssgan.runs.checkpoint import FoundState
from ssgan.types import ImageShape, UserError
from tests.evaluation.saved import save_run, write_folder


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    root = tmp_path_factory.mktemp("places")
    save_run(root / "run")
    write_folder(root / "images", 3)
    np.savez(root / "stats.npz", mu=np.zeros(4), sigma=np.eye(4))
    return root


def test_a_word_is_a_run_a_checkpoint_statistics_or_a_source(places):
    run = str(places / "run")
    file = places / "run" / "checkpoints" / "step-00000003.ckpt"
    for opened in (parse_input(run), parse_input(run, step=3), parse_input(str(file))):
        assert isinstance(opened, FoundState)
        assert opened.checkpoint.path == file
    best = parse_input(run, best=True)
    assert best.checkpoint.path.name == "best.ckpt"
    assert isinstance(parse_input(str(places / "stats.npz")), StoredStatistics)
    assert parse_input(str(places / "images")) == Folder(str(places / "images"))
    assert parse_input("scenes:seed=3") == Scenes(seed=3)


BAD = [
    ("run", {"step": 7}, "no checkpoint of step 7; it has 3"),
    ("run", {"step": 3, "best": True}, "exclude each other"),
    ("images", {"best": True}, "choose a state of a run"),
    ("absent.npz", {}, "no statistics at"),
    ("absent", {}, "no such folder"),
    ("images/0000.png", {}, "not a checkpoint of ssgan"),
]


@pytest.mark.parametrize(("name", "options", "words"), BAD)
def test_what_is_not_there_is_one_line(places, name, options, words):
    with pytest.raises(UserError, match=words) as refusal:
        parse_input(str(places / name), **options)
    assert "\n" not in str(refusal.value)


def test_the_home_of_nobody_is_one_line_too():
    with pytest.raises(UserError, match=r"no source '~nobody-of-that-name/run'"):
        parse_input("~nobody-of-that-name/run")


def test_images_are_prepared_at_the_run_s_size_or_at_the_smaller_natural_one(places):
    run, large = parse_input(str(places / "run")), Scenes(num_images=3)
    preprocessing, remarks = common_preprocessing([run, large], None, None)
    assert preprocessing == run.checkpoint.config.data.preprocessing
    assert remarks == ["scenes:num_images=3: prepared at 32 x 32 pixels (short side 64)"]
    small = parse_input(str(places / "images"))
    for sides in ([small, large], [large, small]):
        preprocessing, remarks = common_preprocessing(sides, None, None)
        assert preprocessing.shape == ImageShape(3, 32)
        assert len(remarks) == 1
    assert common_preprocessing([small, large], None, 48)[0].shape.size == 48
    assert common_preprocessing([large], ImageShape(1, 64), None)[0].shape == ImageShape(1, 64)


def test_sizes_that_do_not_agree_are_refused(places):
    run = parse_input(str(places / "run"))
    with pytest.raises(UserError, match=r"32 x 32 .*--size 64"):
        common_preprocessing([run], None, 64)
    with pytest.raises(UserError, match="32 x 32 with 3 channels, 64 x 64 with 3"):
        common_preprocessing([run], ImageShape(3, 64), None)
