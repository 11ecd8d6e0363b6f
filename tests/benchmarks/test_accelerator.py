"""The accelerator check with the CPU in the accelerator's place; no test looks at a time."""

import json
import math
import multiprocessing
import os
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from benchmarks import accelerator, accelerator_page, accelerator_parity, accelerator_speed
from benchmarks.accelerator_page import Part, Result
from benchmarks.configs import Case, Stepper
from benchmarks.isolation import NotApplicable, Task, attempts, collect, last_line
from benchmarks.timing import repeated
from ssgan.types import UserError

pytestmark = pytest.mark.slow

NAMES = [part.name for part in accelerator.PARTS]
TINY = ["--repeats", "1", "--threads", "1", "--width", "0.0625", "--data", "scenes:num_images=128"]


def collect_here(measure, task, keep, seconds):
    """What `collect` does, without a process."""
    try:
        for row in measure(task):
            keep(row)
    except UserError:
        raise
    except Exception as error:
        return last_line(error)


@pytest.fixture
def here(monkeypatch):
    """Everything at its smallest, in this process; nothing is compiled."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "")  # a part sets it
    monkeypatch.setattr(accelerator, "collect", collect_here)
    monkeypatch.setattr(accelerator_parity, "STEPS", 3)
    monkeypatch.setattr(accelerator_parity, "RECORDED", 2)
    speed = accelerator_speed
    monkeypatch.setattr(speed, "WIDTHS", (1,))
    monkeypatch.setattr(speed, "_LONG_TURN", 0.0)
    monkeypatch.setattr(speed, "_compile", lambda case, mode: Stepper(case))
    monkeypatch.setattr(speed, "_steps_within", lambda worker, window: worker.call("step"))
    monkeypatch.setattr(speed, "Worker", StepperHere)


class StepperHere:
    """What a Worker does, without the process."""

    def __init__(self, make, case, threads):
        self.held = make(case)

    def call(self, method):
        return getattr(self.held, method)()

    def close(self):
        self.held = None


def check(tmp_path, *words):
    files = tmp_path / "all.json", tmp_path / "page.md"
    given = [*TINY, "--json", str(files[0]), "--page", str(files[1]), *words]
    assert accelerator.main(given) == 0
    return json.loads(files[0].read_text()), files[1].read_text(encoding="utf-8")


def a_task(seconds=100.0, **settings):
    return Task(deadline=time.time() + seconds, device="cpu", **settings)


@pytest.mark.long
def test_every_part_is_measured_and_is_on_the_page_of_a_cpu(here, tmp_path, capsys):
    numbers, page = check(tmp_path, "--minutes", "8")
    assert [part["part"] for part in numbers["parts"]] == NAMES
    assert [part["verdict"] for part in numbers["parts"] if "pass:" not in part["verdict"]] == []
    assert numbers["environment"]["device"] == "cpu"
    assert numbers["options"]["repeats"] == "1"
    what = {part["part"]: [row["what"] for row in part["rows"]] for part in numbers["parts"]}
    assert {"resnet, float64", "resnet, float32", "features random"} <= set(what["parity"])
    assert what["500 steps"] == ["step 1", "step 2", "step 3"]
    graphs = next(row for row in numbers["parts"][3]["rows"] if "graphs" in row["what"])
    assert graphs["note"] == "not applicable: only CUDA devices have CUDA graphs"
    shown = capsys.readouterr().out
    for name in NAMES:
        assert f"\n## {NAMES.index(name) + 1}. {name}\n" in page
        assert f"\n{name}: " in shown
    assert "**No accelerator took part: the CPU took its place.**" in page
    assert "the CPU takes its place" in shown
    assert "| TF32 |" not in page  # no row of it: a CPU has none


def test_a_row_of_speed_has_rates_of_its_own_seconds(here):
    rows = list(accelerator_speed._speed_rows(Case(network="sndcgan", width=1 / 16), a_task()))
    assert [row["precision"] for row in rows] == ["float32", "bfloat16"]
    for row in rows:
        assert row["real images/s"] == pytest.approx(64 / row["seconds"])
        assert row["GFLOP/s"] == pytest.approx(row["GFLOP"] / row["seconds"])
        assert row["share"] == pytest.approx(row["GFLOP/s"] / row["matrix GFLOP/s"])
        assert row["peak MB"] is None  # a process of several cases has no peak of one


def test_without_time_every_part_is_skipped_with_its_reason(here, tmp_path):
    numbers, page = check(tmp_path, "--minutes", "0")
    for part in numbers["parts"]:
        assert (part["rows"], part["failure"]) == ([], None)
        assert part["verdict"].startswith("skipped: 0 s are left for it")
    assert page.count("skipped: 0 s are left") == len(NAMES)


def test_a_part_that_is_left_out_says_so_and_its_time_is_others(here, tmp_path):
    numbers, _ = check(tmp_path, "--minutes", "1", "--parts", "500 steps")
    *others, last = numbers["parts"]
    assert {part["verdict"] for part in others} == {"skipped: --parts leaves it out"}
    assert last["budget"] > 30


def fail(task):
    yield {"what": "before", "step": 1}
    raise RuntimeError("first line\nthe last line")


def die(task):
    yield {"what": "before", "step": 1}
    os._exit(7)


def sleep(task):
    time.sleep(1000)
    yield {}


def work(task):
    yield {"what": "fine", "step": 3}


@pytest.mark.long
def test_a_part_that_raises_or_dies_is_recorded_and_the_rest_goes_on(tmp_path, monkeypatch):
    """In processes of their own."""
    parts = tuple(
        replace(accelerator.PARTS[-1], name=one.__name__, measure=one) for one in (fail, die, work)
    )
    monkeypatch.setattr(accelerator, "PARTS", parts)
    numbers, page = check(tmp_path, "--minutes", "8", "--device", "cpu")
    failed, dead, fine = numbers["parts"]
    assert failed["failure"] == "RuntimeError: the last line"
    assert dead["failure"] == "its process ended with exit code 7"
    assert [part["rows"][0]["what"] for part in (failed, dead)] == ["before", "before"]
    assert fine["verdict"] == "pass: 3 steps, every number finite"
    assert "| fail | failed: RuntimeError: the last line; before that: pass: 1 steps" in page


def test_a_part_that_runs_out_of_its_time_is_ended():
    begun = []
    reason = collect(sleep, a_task(), begun.append, seconds=1)
    assert (reason, begun) == ("it ran out of its 1 s", [])
    assert multiprocessing.active_children() == []


def test_a_measurement_that_fails_is_a_row_and_the_next_is_made():
    def refuse(task):
        raise NotApplicable("there is no such thing here")

    measures = {"a": fail, "b": refuse, "c": work}
    rows = list(attempts(a_task(), measures))
    assert rows[1] == {"what": "a", "note": "failed: RuntimeError: the last line"}
    assert rows[2] == {"what": "b", "note": "not applicable: there is no such thing here"}
    assert rows[3] == {"what": "fine", "step": 3}
    late = list(attempts(a_task(seconds=-1), measures))
    assert {row["note"] for row in late} == {"skipped: no time was left"}


def result_of(part, *rows):
    return Result(part=accelerator.PARTS[NAMES.index(part)], rows=list(rows))


@pytest.mark.parametrize("value", [1e-3, math.nan])
def test_a_parity_beyond_what_is_expected_differs(value):
    close = {"what": "resnet, float64", "five steps": 1e-9, "expected": 1e-6}
    far = {**close, "what": "sndcgan, float64", "gradients": value}
    assert result_of("parity", close).verdict().startswith("pass: ")
    said = result_of("parity", close, far).verdict()
    assert said == f"differs by {value:.2g} (gradients of sndcgan, float64), beyond 1e-06"


def test_bfloat16_is_judged_by_its_first_step():
    rows = [{"what": "step 1", "difference": 0.001}, {"what": "step 20", "difference": 0.4}]
    said = result_of("precision and layout", *rows).verdict()
    assert said == "pass: bfloat16's losses differ by 0.001 at step 1 and 0.4 at step 20"
    rows[0]["difference"] = 0.3
    assert result_of("precision and layout", *rows).verdict().startswith("differs: ")


def test_a_larger_network_is_not_compiled_without_the_time_of_the_smaller(monkeypatch):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "")
    rows = iter([{"compiling": 1e9}, {}, {}])
    monkeypatch.setattr(accelerator_speed, "_compiled_row", lambda *_: iter([next(rows)]))
    *_, last = accelerator_speed.compiled(a_task())
    assert last["what"] == "resnet, compile"
    assert last["note"].startswith("skipped: no time was left, as 1000000000 s")


def test_a_row_that_failed_fails_its_part_and_the_rest_is_told():
    row = {"what": "step 5", "step": 5}
    verdict = result_of("500 steps", row, {"what": "b", "note": "failed: OSError: no"}).verdict()
    assert verdict == "failed: b, OSError: no; of the rest: pass: 5 steps, every number finite"
    skipped = {"what": "b", "note": "skipped: no time was left"}
    assert result_of("500 steps", skipped).verdict() == "skipped: b: skipped: no time was left"


def test_the_page_names_the_card_and_says_nothing_of_a_cpu():
    header = {"environment": {"device": "cuda:0", "device_name": "Card 9000", "driver": "1.2"}}
    header |= {"command": "--minutes 8", "date": "today"}
    page = accelerator_page.page(header, [result_of("500 steps")])
    assert page.startswith("# Accelerator check: Card 9000 (cuda:0)\n")
    assert "| driver | 1.2 |" in page
    assert "On cuda:0. " in page
    assert "CPU" not in page.replace("on the CPU", "")


def test_a_gradient_that_should_be_zero_is_rounding():
    one, rounding = torch.ones(3), torch.full((3,), 1e-20)
    relative = accelerator_parity.relative
    assert relative([one, rounding], [one, -rounding]) < 1e-12
    assert relative([one, one], [one, 1.5 * one]) == pytest.approx(0.5)
    assert relative([one, one], [one, math.nan * one]) != 0


def test_a_planted_difference_is_found(monkeypatch):
    """The device's side steps from other weights."""
    monkeypatch.setattr(accelerator_parity, "Stepper", OtherSeed)
    (row,) = accelerator_parity._steps_row("resnet", "float64", a_task(width=0.25), steps=2)
    assert min(row["first step"], row["gradients"], row["vectors"]) > 1e-6
    assert result_of("parity", {"what": "it", **row}).verdict().startswith("differs by ")


class OtherSeed(Stepper):
    def __init__(self, case):
        super().__init__(case)
        if case.plain:  # the device's side, on a CPU
            with torch.no_grad():
                for weight in self.state.discriminator.parameters():
                    weight.mul_(1.001)


def test_a_case_is_as_wide_as_its_trial_steps_allow(monkeypatch):
    monkeypatch.setattr(
        accelerator_speed, "Stepper", lambda case: SimpleNamespace(step=lambda: case.width**2)
    )
    for seconds, width in ((1000, 1), (3, 1 / 2), (1, 1 / 4), (0, 1 / 8)):
        fitted = accelerator_speed.fit(Case(), steps=10, seconds=seconds)
        assert (fitted.case.width, fitted.seconds) == (width, width**2)


def test_products_are_as_they_were_afterwards():
    def modes():
        backends = torch.backends
        places = backends.cuda.matmul, backends.cudnn.conv, backends.mkldnn.conv
        return [place.fp32_precision for place in places]

    before = modes()
    with accelerator_parity.float32_products("ieee"):
        assert modes() == ["ieee"] * 3
    assert modes() == before


def test_contiguous_networks_read_and_make_contiguous_maps():
    stepper = Stepper(Case(network="resnet", batch=4, width=1 / 32, precision="float32"))
    last = torch.channels_last
    accelerator_speed.make_contiguous(stepper)
    seen = []
    for layer in stepper.state.discriminator.modules():
        if layer.__class__.__name__ == "Conv2d":
            layer.register_forward_hook(lambda _, args, out: seen.append(args[0]))
    stepper.take()
    large = [maps for maps in seen if maps.shape[1] > 1 and maps.shape[2] > 1]
    assert large
    assert not any(maps.is_contiguous(memory_format=last) for maps in large)


def test_calls_in_a_row_are_as_many_as_fill_the_time():
    calls = []
    once = repeated(lambda: calls.append(0), torch.device("cpu"), seconds=0.0)
    assert len(calls) == 2
    once()
    assert len(calls) == 3
    calls.clear()
    many = repeated(lambda: calls.append(0), torch.device("cpu"), seconds=1000.0)
    many()
    assert len(calls) == 102


def test_the_recipe_stops_at_the_end_of_its_time_and_says_at_which_step():
    task = a_task(seconds=-1, width=1 / 32, data="scenes:num_images=128")
    (row,) = accelerator_parity.recipe(task)
    assert (row["what"], row["real images/s"], row["batch"]) == ("step 1", None, 64)


def test_images_that_are_not_there_are_refused_at_once_and_nothing_is_downloaded(tmp_path, capsys):
    assert accelerator_parity.source_of(None).name() == "scenes"  # CIFAR-10 is not in the cache
    for data, words in (
        ("cifar10", "it is not in the cache"),
        (f"folder:{tmp_path}/none", "there is nothing at"),
        ("scens", "no source 'scens'"),
    ):
        assert accelerator.main(["--data", data, "--minutes", "0"]) == 2
        assert words in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        accelerator.main(["--parts", "sped"])
    assert "no part 'sped'" in capsys.readouterr().err


def test_a_device_that_is_not_there_is_refused(here, tmp_path, capsys):
    assert accelerator.main([*TINY, "--device", "cudo"]) == 2
    assert "device 'cudo' cannot be used here" in capsys.readouterr().err


def test_the_shares_are_of_one_time():
    assert sum(part.share for part in accelerator.PARTS) == pytest.approx(1)
    assert all(isinstance(part, Part) for part in accelerator.PARTS)
