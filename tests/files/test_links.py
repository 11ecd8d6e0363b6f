"""No writer follows a link that somebody else may have put inside a directory."""

import os
from pathlib import Path

import pytest

from ssgan.data.scenes.source import Scenes
from ssgan.evaluation.features import FeatureCache
from ssgan.evaluation.image_sets import RealImages
from ssgan.files import jsonl
from ssgan.files.links import refuse_links
from ssgan.files.locks import hold_lock, wait_for_lock
from ssgan.files.run_directory import ForgettingDirectory, RunDirectory
from ssgan.metrics.features import RandomFeatures
from ssgan.studies.forgetting.run import resolve_auto_precision
from ssgan.studies.forgetting.settings import ForgettingSettings
from ssgan.types import UserError
from tests.training.tiny import images

pytestmark = pytest.mark.skipif(os.name == "nt", reason="links need rights there")
PRECIOUS = b"precious\n"


@pytest.fixture
def victim(tmp_path):
    path = tmp_path / "victim"
    path.write_bytes(PRECIOUS)
    yield path
    assert path.read_bytes() == PRECIOUS


def test_a_line_is_never_appended_through_a_link(victim, tmp_path):
    (tmp_path / "log.jsonl").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic links"):
        jsonl.append(tmp_path / "log.jsonl", {"step": 1})


@pytest.mark.parametrize("name", [".lock", ".lock.owner", ".lock.marker"])
@pytest.mark.parametrize("hold", [hold_lock, wait_for_lock])
def test_a_lock_is_never_taken_through_a_link(hold, name, victim, tmp_path):
    (tmp_path / name).symlink_to(victim)
    if hold is wait_for_lock and name == ".lock.owner":  # which it does not write
        return
    with pytest.raises(UserError, match=rf"{name} is a link to .*victim"), hold(tmp_path / ".lock"):
        pass


def test_folders_on_the_way_are_looked_at_and_the_root_is_not(tmp_path):
    (tmp_path / "real" / "a").mkdir(parents=True)
    root = tmp_path / "root"
    root.symlink_to(tmp_path / "real")
    refuse_links(root, root / "a" / "b", root / "missing" / "c")
    (root / "a" / "b").symlink_to(tmp_path)
    with pytest.raises(UserError, match=r"root/a/b is a link"):
        refuse_links(root, root / "a" / "b" / "c")


def test_every_name_of_a_run_and_of_a_forgetting_study_is_among_those_looked_at():
    names = {path.name for path in RunDirectory(Path("run")).written_names()}
    assert {".lock", "log.jsonl", "samples", "best", "kept", "tensorboard"} <= names
    assert len(names) == 18
    assert len(ForgettingDirectory(Path("run")).written_names()) == 6


@pytest.mark.parametrize("path", ForgettingDirectory(Path()).written_names(), ids=str)
def test_a_forgetting_study_refuses_links_at_its_names(path, victim, tmp_path):
    root = tmp_path / "study"
    root.mkdir()
    (root / "forgetting.json").write_text("{}")
    (root / path.name).unlink(missing_ok=True)
    (root / path.name).symlink_to(victim)
    settings = ForgettingSettings(source=Scenes())
    with pytest.raises(UserError, match=r"is a link to .*victim"):
        resolve_auto_precision(ForgettingDirectory(root), settings, "cpu")


@pytest.mark.parametrize("name", ["features", ".locks"])
def test_the_cache_of_features_writes_through_no_link(name, tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "cache" / name).symlink_to(tmp_path / "elsewhere")
    found = RealImages(images(), "train")
    cache = FeatureCache(tmp_path / "cache", found, 0, RandomFeatures(), "cpu")
    with pytest.raises(UserError, match="is a link"), cache.lock():
        pass
    assert os.listdir(tmp_path / "elsewhere") == []
