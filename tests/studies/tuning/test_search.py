"""What a search makes of commands that end without a result; its sampler and jobs are fake."""

from types import SimpleNamespace

import pytest

from ssgan.recipes.scenes import ssgan
from ssgan.studies.engines.choose import Placement
from ssgan.studies.jobs import FileJob, TrainingJob
from ssgan.studies.scheduler import Finished, Status
from ssgan.studies.tuning.search import Searcher
from ssgan.studies.tuning.trials import TrialJobs, TuningTrial, write_trial


@pytest.fixture
def search(tmp_path):
    """Makes a searcher on an engine, in which a trial runs, and that trial's training command."""

    def make(on):
        write_trial(tmp_path, TuningTrial(number=1, values={}, flags=("--seed=0",)))
        ended = []
        sampler = SimpleNamespace(
            list_running=list, count=lambda: 0, end=lambda *facts: ended.append(facts)
        )
        cluster = Placement(on=on).is_cluster
        searcher = Searcher(SimpleNamespace(out=tmp_path), sampler, 1, print, cluster)
        own = {"label": "trial 1", "log": tmp_path / "none.log"}
        train = TrainingJob(words=("train",), root=tmp_path / "run", config=ssgan(), **own)
        evaluate = FileJob(words=("evaluate",), result=tmp_path / "result", **own)
        searcher._jobs[1] = TrialJobs(train, evaluate)
        return searcher, train, ended

    return make


@pytest.mark.parametrize("on", ["slurm", "ray:auto"])
def test_a_trial_whose_job_is_cancelled_on_a_cluster_has_failed_and_the_search_goes_on(search, on):
    searcher, train, ended = search(on)
    searcher.settle(Status((), (), (Finished(train, 143, 1.0),), None))
    assert (searcher.halted, searcher.broken) == ("", False)
    trial = searcher.trials[1]
    assert (trial.state, trial.reason) == ("failed", "train, exit code 143: ")
    assert ended == [(1, None)]


@pytest.mark.parametrize(("on", "code"), [("local", 143), ("local", 130), ("slurm", 74)])
def test_a_signal_on_this_machine_or_a_full_disk_ends_the_search(search, on, code):
    searcher, train, ended = search(on)
    searcher.settle(Status((), (), (Finished(train, code, 1.0),), None))
    assert searcher.broken
    assert searcher.trials[1].state == "running"
    assert ended == []
