"""D's features by several processes are those of one, byte by byte."""

from pathlib import Path

import pytest

from ssgan.cli.main import main
from ssgan.evaluation.probe import feature_store
from ssgan.evaluation.probe.maps import ProbedDiscriminator
from tests.evaluation.saved import save_run
from tests.training import ranks
from tests.training.ranks import together

IMAGES, BATCH = 50, 8


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return save_run(tmp_path_factory.mktemp("runs") / "run")


def write_features(run: Path, stop_after: int = IMAGES):
    """Write the features of some images, and print how many this rank has read."""

    def case(folder: Path) -> None:
        feature_store.BATCH, feature_store._SAVED_BATCHES = BATCH, 1
        read = ProbedDiscriminator.features

        def noted(self, images, layers):
            print("read", len(images))
            return read(self, images, layers)

        def save(path, value):
            write(path, value)
            if value.get("done", 0) >= stop_after:
                raise KeyboardInterrupt

        ProbedDiscriminator.features = noted
        write = feature_store.write_json
        if stop_after < IMAGES:
            feature_store.write_json = save
        words = ["features", str(run), "--data", f"objects:num_images={IMAGES}"]
        assert main([*words, "--out", str(folder / "f.npy"), "--device", "cpu"]) in (0, 130)

    return case


def read_by(printed: str) -> list[int]:
    return [int(line.split()[1]) for line in printed.splitlines() if line.startswith("read")]


def test_processes_share_the_images_and_write_the_file_of_one(run, tmp_path, monkeypatch):
    monkeypatch.setitem(ranks.ALL, "features", write_features(run))
    for count in (1, 2):
        (tmp_path / str(count)).mkdir()
        found = together("features", tmp_path / str(count), count)
        assert [code for code, _ in found] == [0] * count, found
    assert [read_by(printed) for _, printed in found] == [[8, 8, 8, 2], [8, 8, 8]]
    assert (tmp_path / "2/f.npy").read_bytes() == (tmp_path / "1/f.npy").read_bytes()


def test_two_processes_continue_what_one_has_begun(run, tmp_path, monkeypatch):
    monkeypatch.setitem(ranks.ALL, "features", write_features(run))
    monkeypatch.setitem(ranks.ALL, "begin features", write_features(run, stop_after=16))
    (tmp_path / "whole").mkdir()
    together("features", tmp_path / "whole", 1)
    together("begin features", tmp_path, 1)
    assert (tmp_path / "f.npy.partial").is_dir()
    found = together("features", tmp_path, 2)
    assert [code for code, _ in found] == [0, 0], found
    assert [read_by(printed) for _, printed in found] == [[8, 8, 2], [8, 8]]
    assert (tmp_path / "f.npy").read_bytes() == (tmp_path / "whole/f.npy").read_bytes()


def test_a_rank_with_another_state_of_d_is_refused(run, tmp_path, monkeypatch):
    def case(folder: Path) -> None:
        feature_store._facts = lambda *_: {"discriminator": str(ranks.rank()), "device": "cpu"}
        words = ["features", str(run), "--data", f"objects:num_images={IMAGES}"]
        print("exit", main([*words, "--out", str(folder / "f.npy"), "--device", "cpu"]))

    monkeypatch.setitem(ranks.ALL, "features", case)
    found = together("features", tmp_path, 2)
    assert "exit 2" in found[1][1]
    assert "exit 0" not in found[0][1]
    assert "rank 1 has another state of D or other images than rank 0" in found[1][1]
