"""What one rank of a test does, in a forked child, so that torch is imported once.

`together` starts all of them and waits.
"""

import errno
import math
import os
import signal
import socket
import time
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import torch
from torch import Tensor
from torch.nn import Module
from torch.nn import functional as F

from ssgan.cli.main import LOST
from ssgan.data.dataset import Dataset
from ssgan.files.atomic import DiskFull
from ssgan.losses import Hinge, LeastSquares, NonSaturating, Wasserstein
from ssgan.methods.penalty import DRAGAN, WGANGP
from ssgan.methods.ssgan import SSGAN
from ssgan.models.biggan import BigGANDiscriminator, BigGANGenerator
from ssgan.models.norms import BatchNorm, BatchStatistics, LayerNorm, SelfModulatedBatchNorm
from ssgan.models.resnet import ResNetGenerator
from ssgan.ops.batch_norm import batch_norm_over_ranks
from ssgan.ops.collective import num_ranks, rank
from ssgan.ops.ema import update_ema
from ssgan.ops.rng import Key, normal
from ssgan.ops.sharded import is_sharded, local_part
from ssgan.runs import checkpoint
from ssgan.runs.config import InitialWeights, RunConfig
from ssgan.runs.initial import find_initial_model
from ssgan.runs.state import TrainState, fresh_state
from ssgan.training import feed, resume, step
from ssgan.training import run as runs
from ssgan.training.feed import Feed
from ssgan.training.loop import train
from ssgan.training.monitor import Monitor
from ssgan.training.ranks import gradient_sums
from ssgan.training.ranks.distributed import check_in_step, join_ranks
from ssgan.training.ranks.gradient_sums import GradientSums
from ssgan.training.ranks.sharding import gather_state
from ssgan.training.run import Collapsed, run
from ssgan.training.signals import Interrupted
from ssgan.types import NonFinite, PeerLost, RanksDiffer, UserError
from tests.training.harness import fork, wait
from tests.training.tiny import images, tiny

BATCH, LAST = 24, 6  # of every run in a directory
COMPARED = LAST if os.environ.get("SSGAN_LONG") == "1" else 3  # steps of what is compared
_BIG = {"batch_size": BATCH, "precision": "float64", "total_steps": LAST}
_DRAWN = {"method": replace(tiny("s3gan").method, pseudo_label="sampled")}
CASES = {
    "ssgan": tiny(augment=True, **_BIG),
    "two updates": tiny("gan", **_BIG),
    "conditional": tiny("conditional", **_BIG),
    "rotation alone": tiny("rotation-only", **_BIG),
    "four turns of everything": tiny("la-plus", augment=True, **_BIG),
    "few labels": tiny("s3gan", **_BIG),
    "few labels, drawn": tiny("s3gan", **_BIG, **_DRAWN),
    "parts on each rank": tiny(accumulation=2, method=SSGAN(rotated_fraction=0.5), **_BIG),
    "penalty, re-used fakes": tiny(
        reuse_fakes=True, method=SSGAN(penalty=WGANGP(weight=1.0)), **_BIG
    ),
    "noisy penalty, parts on each rank": tiny(
        accumulation=2,
        method=SSGAN(rotated_fraction=0.5, penalty=DRAGAN(weight=1.0)),
        **_BIG,
    ),
    "frozen blocks, parts on each rank": tiny(
        accumulation=2,
        freeze_discriminator_blocks=2,
        method=SSGAN(rotated_fraction=0.5),
        **_BIG,
    ),
    "self-modulated, recomputed": tiny(
        activation_checkpointing=True,
        generator=replace(tiny().generator, norm=SelfModulatedBatchNorm()),
        **_BIG,
    ),
}  # fmt: skip


_NORMS = (BatchNorm(), SelfModulatedBatchNorm(), LayerNorm())
_LOSSES = (Hinge(), NonSaturating(), Wasserstein(), LeastSquares())
MATRIX = {
    f"{type(loss).__name__}, {type(norm).__name__}, {updates}": tiny(
        method=SSGAN(adversarial=loss),
        generator=replace(tiny().generator, norm=norm),
        discriminator_updates=updates,
        **{**_BIG, "total_steps": 2},
    )
    for loss in _LOSSES
    for norm in _NORMS
    for updates in (1, 2)
}


def together(
    case: str,
    folder: Path,
    count: int,
    seconds: float = 600,
    awaited: Sequence[int] | None = None,
    variables: Callable[[int], Mapping[str, str]] = lambda number: {},
) -> list[tuple[int, str]]:
    """Run a case as so many ranks; exit code and what was printed of each that is awaited: of all.

    Those that are not awaited, or take too long, are killed. `variables` of the environment are
    those of a rank.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(count)}
    outputs = [folder / f"rank-{number}.txt" for number in range(count)]
    places = [{**shared, "RANK": str(n), **variables(n)} for n in range(count)]
    children = [
        fork(lambda env=env, output=output: be_rank(case, folder, env, output))
        for env, output in zip(places, outputs, strict=True)
    ]
    codes: dict[int, int] = {}
    wanted = range(count) if awaited is None else awaited
    end = time.monotonic() + seconds
    try:
        while not all(number in codes for number in wanted):
            assert time.monotonic() < end, f"{case}: ranks run on after {seconds} s"
            time.sleep(0.02)
            codes |= collect(children, codes)
    finally:
        for child in (c for number, c in enumerate(children) if number not in codes):
            os.kill(child, signal.SIGKILL)
            wait(child)
    return [(codes[number], outputs[number].read_text()) for number in wanted]


def collect(children: Sequence[int], known: Collection[int]) -> dict[int, int]:
    """Exit codes of the children that have ended since, by rank."""
    found = {}
    for number, child in enumerate(children):
        if number not in known:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                found[number] = os.waitstatus_to_exitcode(status)
    return found


def be_rank(case: str, folder: Path, env: Mapping[str, str], output: Path) -> int:
    """Run a case as one rank, in a forked child; the exit code of the command line."""
    os.environ.update(env)
    with output.open("w", buffering=1) as printed:
        os.dup2(printed.fileno(), 1)
        os.dup2(printed.fileno(), 2)
        with redirect_stdout(printed), redirect_stderr(printed):
            try:
                return run_case(case, folder)
            except Exception:
                traceback.print_exc()
                return 1


def final(config: RunConfig) -> Tensor:
    """Every number of the state at the end, in one row."""
    state: TrainState | None = None
    for report in train(config, images()):
        state = report.state
    assert state is not None
    return torch.cat([t.detach().double().flatten() for t in checkpoint.state_tensors(state)])


def final_of_shards(config: RunConfig) -> Tensor:
    """The same of a run whose state is sharded; on rank 0."""
    state: TrainState | None = None
    for report in train(replace(config, shard_state=True), images()):
        state = report.state
    assert state is not None
    assert all(is_sharded(weight) for weight in state.generator.parameters())
    whole = gather_state(state, config, images().num_classes)
    tensors = checkpoint.state_tensors(whole if rank() == 0 else fresh(config))
    return torch.cat([t.detach().double().flatten() for t in tensors])


def fresh(config: RunConfig) -> TrainState:
    """The state before the first step."""
    return fresh_state(config, images().num_classes, torch.device("cpu"))


ATTENTION = tiny(  # whose sigma is a scalar weight
    generator=BigGANGenerator(width=1 / 48, latent_size=12, attention=16),
    discriminator=BigGANDiscriminator(width=1 / 48, attention=16),
    **{**_BIG, "total_steps": 3},
)


_SHORT = {**_BIG, "total_steps": 2}
PENALISED = {  # whose second derivatives need whole weights
    "both zero-centred penalties": tiny("r3", **_SHORT),
    "penalty, attention, recomputed": replace(
        ATTENTION, activation_checkpointing=True, method=SSGAN(penalty=WGANGP(weight=1.0))
    ),
    "noisy penalty": tiny(
        accumulation=2,
        freeze_discriminator_blocks=1,
        method=SSGAN(rotated_fraction=0.5, penalty=DRAGAN(weight=1.0)),
        **_SHORT,
    ),
}


def shard_cases(count: int) -> dict[str, RunConfig]:
    """What so many ranks with shards are compared in: all methods, or a few."""
    if count == 3:
        return {name: cases(count)[name] for name in ("ssgan",)}
    every = os.environ.get("SSGAN_LONG") == "1"
    return {
        "ssgan": cases(count)["ssgan"],
        "attention": ATTENTION,
        **PENALISED,
        **(cases(count) if every else {}),
    }


def sharded(folder: Path) -> None:
    """Every case's state at the end of a run whose state is sharded, into a file a rank."""
    for name, config in shard_cases(num_ranks()).items():
        torch.save(final_of_shards(config), folder / f"{name}-{num_ranks()}-{rank()}.pt")


def whole_of_shards(folder: Path) -> None:
    """A run in a directory to its end, with shards."""
    for _ in run(replace(CASES["ssgan"], shard_state=True), folder / "run", images()):
        pass


def half_as_shards(folder: Path) -> None:
    """The first four steps, each saved in parts; only up to the third is all well."""
    config = replace(CASES["ssgan"], shard_state=True)
    output = replace(config.output, checkpoint_every=1, sharded_checkpoints=True)
    with patch.object(Monitor, "is_clear", True):
        for report in run(replace(config, output=output), folder / "run", images()):
            if report.step == 4:
                return
            Monitor.is_clear = report.step < 3


def lost_of_shards(folder: Path) -> None:
    """The second rank dies after two steps of a run whose state is sharded."""
    for report in run(replace(CASES["ssgan"], shard_state=True), folder / "run", images()):
        if report.step == 2 and rank() == 1:
            os._exit(9)


def memory_of_shards(folder: Path) -> None:
    """The share of the numbers of the state that this rank holds."""
    for report in train(replace(CASES["ssgan"], shard_state=True, total_steps=1), images()):
        tensors = checkpoint.state_tensors(report.state)
        ours = sum(local_part(tensor).numel() for tensor in tensors)
        print(ours / sum(tensor.numel() for tensor in tensors))


def cases(count: int) -> dict[str, RunConfig]:
    """What so many ranks are compared in: two in all methods, three where a batch has rests."""
    short = {name: replace(config, total_steps=COMPARED) for name, config in CASES.items()}
    few = ("ssgan", "four turns of everything", "few labels, drawn")
    if count == 2:
        every = os.environ.get("SSGAN_LONG") == "1"
        return short | {k: v for k, v in MATRIX.items() if every or k.startswith("Hinge")}
    return {name: short[name] for name in few}


def small_buckets(folder: Path) -> None:
    """The state at the end where every weight is a bucket; how many sums a backward pass begins."""
    begun = []
    average = GradientSums.average

    def counted(sums: GradientSums, terms: Mapping[str, Tensor]) -> dict[str, Tensor]:
        begun.append(len(sums._begun) / len(sums._buckets))
        return average(sums, terms)

    with (
        patch.object(gradient_sums, "BUCKET_BYTES", 1),
        patch.object(GradientSums, "average", counted),
    ):
        torch.save(final(cases(2)["two updates"]), folder / f"small-{rank()}.pt")
    print(min(begun), max(begun))


def same(folder: Path) -> None:
    """Every case's state at the end, into a file a rank."""
    for name, config in cases(num_ranks()).items():
        torch.save(final(config), folder / f"{name}-{num_ranks()}-{rank()}.pt")


@contextmanager
def local_batch_norm() -> Iterator[None]:
    """Each rank normalises by its own part."""
    with patch.object(BatchStatistics, "__setattr__", _but_across_ranks):
        yield


def _but_across_ranks(module: BatchStatistics, name: str, value: object) -> None:
    if name != "across_ranks":
        torch.nn.Module.__setattr__(module, name, value)


def _pieces(self: Feed, update: int) -> Iterator[Tensor]:
    size, ours = self.config.batch_size, self.config.batch_size // num_ranks()
    yield torch.arange(ours) + update * size + rank() * ours


def _unequal_pieces(self: Feed, update: int) -> Iterator[Tensor]:
    places = torch.arange(self.config.batch_size) + update * self.config.batch_size
    yield places[places % 3 == 2] if rank() else places[places % 3 < 2]


def _first_ranks_average(average: Module, network: Module, halflife_steps: float) -> None:
    if rank() == 0:
        update_ema(average, network, halflife_steps)


def _own_latents(spec: ResNetGenerator, key: Key, index: Tensor) -> Tensor:
    return normal(key, index + 1000 * rank(), spec.latent_size)


MUTANTS = {
    "local batch norm": local_batch_norm,
    "a piece of the batch each": lambda: patch.object(Feed, "_parts", _pieces),
    "latents by rank": lambda: patch.object(ResNetGenerator, "sample_latents", _own_latents),
    "gradients not averaged": lambda: patch.object(GradientSums, "average", lambda _, terms: terms),
    "a plain mean of unequal parts": lambda: patch.object(Feed, "_parts", _unequal_pieces),
    "images by the number on the machine": lambda: patch.object(  # 0 on each of two machines
        feed, "our_parts", lambda config: range(config.accumulation)
    ),
    "an average on rank 0 alone": lambda: patch.object(step, "update_ema", _first_ranks_average),
}


def faults(folder: Path) -> None:
    """The state at the end with each fault."""
    for name, fault in MUTANTS.items():
        with fault():
            try:
                found = final(cases(2)["ssgan"])
            except NonFinite:  # as where a rank has no turned image
                found = torch.tensor(math.inf)
            torch.save(found, folder / f"{name}-{rank()}.pt")


def norm(folder: Path) -> None:
    """Batch norm over ranks, forward and backward, against PyTorch's of the whole batch."""
    for shape in ((12, 5, 4, 4), (12, 5)):
        for with_gain in (True, False):
            _compare_norm(shape, with_gain)


def _compare_norm(shape: tuple[int, ...], with_gain: bool) -> None:
    torch.manual_seed(0)
    whole = (torch.randn(shape) * 3 + 40).requires_grad_()  # a mean that squares would not bear
    upstream = torch.randn(shape)
    gain, shift = (torch.randn(5, requires_grad=True) for _ in range(2))
    given = (gain, shift) if with_gain else (None, None)
    plain = torch.zeros(5), torch.ones(5)
    expected = F.batch_norm(whole, *plain, *given, True, 0.1, 1e-5)
    (expected * upstream).sum().backward()
    rows = slice(rank(), None, num_ranks())
    ours = whole.detach()[rows].clone().requires_grad_()
    mine = [value.detach().clone().requires_grad_() for value in (gain, shift)]
    moved = torch.zeros(5), torch.ones(5)
    found = batch_norm_over_ranks(ours, *moved, *(mine if with_gain else given), 0.1, 1e-5)
    (found * upstream[rows]).sum().backward()
    close = {"rtol": 1e-4, "atol": 1e-5}
    torch.testing.assert_close(found, expected[rows], **close)
    torch.testing.assert_close(ours.grad, whole.grad[rows], **close)
    for a, b in zip(moved, plain, strict=True):
        torch.testing.assert_close(a, b)
    if with_gain:
        for a, b in zip(mine, (gain, shift), strict=True):  # the mean over ranks is of the whole
            total = a.grad.clone()
            torch.distributed.all_reduce(total)
            torch.testing.assert_close(total, b.grad, **close)


def bad_number(folder: Path) -> None:
    """The last rank alone is given NaN, in the third step, in D's update and then in G's."""
    draw = Feed._draw
    for network in "DG":

        def injected(feed: Feed, update_of: str, number: int, index: Tensor, due: str = network):
            drawn = draw(feed, update_of, number, index)
            if rank() == num_ranks() - 1 and (update_of, number) == (due, 2):
                drawn.latents[0, 0] = math.nan
            return drawn

        with patch.object(Feed, "_draw", injected):
            _refused(network)


def _refused(network: str) -> None:
    """The third step is refused, and what the refused update had moved is put back."""
    before: list[Tensor] = []
    state = fresh(CASES["ssgan"])
    update = step.restore_buffers_on_error

    @contextmanager
    def watched(*networks: torch.nn.Module) -> Iterator[None]:
        before[:] = [tensor.detach().clone() for tensor in checkpoint.state_tensors(state)]
        with update(*networks):
            yield

    with patch.object(step, "restore_buffers_on_error", watched):
        try:
            for _ in train(CASES["ssgan"], images(), state):
                pass
        except NonFinite as refusal:
            print(f"rank {rank()} refused at step {state.step}: {refusal}")
    same = [torch.equal(a, b) for a, b in zip(before, checkpoint.state_tensors(state), strict=True)]
    print(f"{network}: {'nothing' if all(same) else 'something'} has changed")
    check_in_step(state)


def drift(folder: Path) -> None:
    """One bit of rank 1's generator is flipped."""
    for report in train(CASES["ssgan"], images()):
        check_in_step(report.state)
        weight = report.state.generator.get_parameter("first.weight")
        if rank() == 1:
            with torch.no_grad():
                weight[0, 0] = torch.nextafter(weight[0, 0], torch.tensor(9.0).double())
        try:
            check_in_step(report.state)
        except RanksDiffer as found:
            print(found)
            return


def half(folder: Path) -> None:
    """The first steps of a run in a directory."""
    for _ in run(replace(CASES["ssgan"], total_steps=3), folder / "run", images()):
        pass


def whole(folder: Path) -> None:
    """The rest of them, and how it stands."""
    for _ in run(CASES["ssgan"], folder / "run", images()):
        pass


def frozen(which: int) -> Callable[[Path], None]:
    """A rank is stopped at its third step."""

    def case(folder: Path) -> None:
        for report in run(CASES["ssgan"], folder / "run", images()):
            if rank() == which and report.step == 3:
                os.kill(os.getpid(), signal.SIGSTOP)

    return case


def signalled(folder: Path) -> None:
    """Rank 1 is asked to stop before its third step ends."""
    config = replace(CASES["ssgan"], output=replace(CASES["ssgan"].output, checkpoint_every=100))
    for report in run(config, folder / "run", images()):
        if rank() == 1 and report.step == 2:
            os.kill(os.getpid(), signal.SIGTERM)


def failing(which: int) -> Callable[[Path], None]:
    """A rank raises an error of its own."""

    def case(folder: Path) -> None:
        for report in run(CASES["ssgan"], folder / "run", images()):
            if rank() == which and report.step == 3:
                raise UserError("this is the first error")

    return case


def _fail(*_: object, **__: object) -> None:
    raise OSError(errno.EIO, "this is the first error")


def _no_room(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "this is the first error")


_BAD_NUMBERS = {"latents": torch.full((BATCH // 2, 8), math.nan, dtype=torch.float64)}
BROKEN = {  # what fails from the third step on, on one rank
    "an image": lambda: patch.object(Dataset, "batch", _fail),
    "every number": lambda: patch.object(
        ResNetGenerator, "sample_latents", lambda *_: _BAD_NUMBERS["latents"]
    ),
    "a save": lambda: patch.object(checkpoint, "write_tensors", _fail),
    "a save without room": lambda: patch.object(os, "fsync", _no_room),
}


def broken(which: int, fault: str) -> Callable[[Path], None]:
    """Something of a rank does not work."""

    def case(folder: Path) -> None:
        config = replace(CASES["ssgan"], output=replace(CASES["ssgan"].output, checkpoint_every=1))
        with ExitStack() as faults:
            for report in run(config, folder / "run", images()):
                if rank() == which and report.step == 2:
                    faults.enter_context(BROKEN[fault]())

    return case


def rolled_back(folder: Path) -> None:
    """The last rank is given NaN at the fourth step, until all have gone back once."""
    with bad_fourth_step():
        whole(folder)


def rolled_back_of_shards(folder: Path) -> None:
    """The same with shards."""
    with bad_fourth_step():
        whole_of_shards(folder)


@contextmanager
def bad_fourth_step() -> Iterator[None]:
    """Within, it has a NaN on the last rank, until all have gone back once."""
    draw = Feed._draw

    def injected(feed: Feed, network: str, step: int, index: Tensor) -> object:
        drawn = draw(feed, network, step, index)
        first = feed.seed == feed.config.seed and step == 3 and network == "G"
        if first and rank() == num_ranks() - 1:
            drawn.latents[0, 0] = math.nan
        return drawn

    with patch.object(Feed, "_draw", injected):
        yield


def begun_from_model(folder: Path) -> None:
    """A run begins with the weights of the run `model`, which rank 0 alone can read."""
    init = InitialWeights(model=str(folder / "model"))
    config = tiny(init=init, batch_size=BATCH, precision="float64", total_steps=2)
    reads = {} if rank() == 0 else {"side_effect": AssertionError}
    with patch.object(resume, "find_initial_model", wraps=find_initial_model, **reads):
        for _ in run(config, folder / "two", images()):
            pass


def collapsed(folder: Path) -> None:
    """What rank 0 finds in the directory has collapsed already."""
    with patch.object(runs, "_must_stop", lambda *_: True):
        try:
            next(run(CASES["ssgan"], folder / "run", images()))
        except Collapsed as end:
            print(end)


def other_settings(folder: Path) -> None:
    """Rank 1 was given another seed."""
    for _ in run(replace(CASES["ssgan"], seed=rank()), folder / "run", images()):
        pass


ALL = {
    "same": same,
    "small buckets": small_buckets,
    "sharded": sharded,
    "rolled back of shards": rolled_back_of_shards,
    "whole of shards": whole_of_shards,
    "lost of shards": lost_of_shards,
    "half as shards": half_as_shards,
    "memory of shards": memory_of_shards,
    "faults": faults,
    "norm": norm,
    "bad number": bad_number,
    "drift": drift,
    "half": half,
    "whole": whole,
    "first frozen": frozen(0),
    "second frozen": frozen(1),
    "signalled": signalled,
    "first fails": failing(0),
    "second fails": failing(1),
    **{f"{fault} of rank {n}": broken(n, fault) for fault in BROKEN for n in (0, 1)},
    "rolled back": rolled_back,
    "collapsed": collapsed,
    "begun from a model": begun_from_model,
    "other settings": other_settings,
}


def run_case(case: str, folder: Path) -> int:
    """Run a case; the exit codes of the command line."""
    try:
        with join_ranks(4 if "frozen" in case else 300):
            ALL[case](folder)
    except UserError as error:
        print(error)
        return 2
    except (DiskFull, NonFinite) as error:
        print(error)
        return 70
    except PeerLost as error:
        print(error)
        return LOST
    except Interrupted as stop:
        print(stop)
        return stop.exit_code
    return 0
