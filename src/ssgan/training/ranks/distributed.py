"""A run on several processes: each is a rank with a part of every batch, and all hold one state.

They are started by `ssgan train --processes N`, by srun, by torchrun or by a cluster that sets
RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT. Random numbers are keyed by their place
in the batch, batch norm uses the whole batch, and gradients are averaged: so the number of
processes changes no result. Only rank 0 writes.
"""

import gc
import hashlib
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from ssgan.config.serialize import dump
from ssgan.data.dataset import Dataset
from ssgan.files.sealed_file import read_verified
from ssgan.ops.collective import (
    broadcast_from_first,
    gather_from_ranks,
    max_over_ranks,
    num_ranks,
    rank,
    translate_errors,
)
from ssgan.ops.sharded import is_sharded
from ssgan.runs import checkpoint
from ssgan.runs.config import RunConfig
from ssgan.runs.config_io import list_modules
from ssgan.runs.state import TrainState
from ssgan.types import PeerLost, RanksDiffer, UserError

TIMEOUT = 1800  # seconds that a rank waits for the others: longer than an evaluation takes
_NAMES = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
_LAUNCHERS_STORE = "TORCHELASTIC_USE_AGENT_STORE"  # whether torchrun holds the store
_LONGEST_PREPARATION = timedelta(days=7)
_GRACE = 1.0  # seconds in which every rank that waits in vain says so

T = TypeVar("T")


def is_launched() -> bool:
    """Whether a launcher started this process as one of several."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


_store: Any = None  # a torch.distributed.Store, by which ranks wait for each other


@contextmanager
def join_ranks(timeout: int = TIMEOUT, device: str = "auto") -> Iterator[None]:
    """Within, this process is the rank that its launcher says; without a launcher it is alone.

    Within a second call nothing changes. Unless `device` is "cpu" each rank takes an accelerator of
    its own, if the machine has any. Raises PeerLost when another rank has ended, or has not
    answered for `timeout` seconds.
    """
    global _store
    if _store is not None or not is_launched():
        yield
        return
    if missing := [name for name in _NAMES if name not in os.environ]:
        raise UserError(f"WORLD_SIZE is set and {', '.join(missing)} not: a launcher sets all four")
    if device != "cpu" and torch.accelerator.is_available():
        _take_accelerator()
    _store, number, count = _start_group(timedelta(seconds=timeout), device)
    try:
        yield
    except PeerLost as lost:
        raise PeerLost(_find_lost_rank(_store, number, count, str(lost))) from None
    finally:
        _store = None
        gc.collect()  # before the group is destroyed: objects that still hold a part of it
        dist.destroy_process_group()


def first_then_others(work: Callable[[], T]) -> T:
    """Do the work on the first rank of each machine, then on its others, who find it done."""
    if _store is None:
        return work()
    ours = f"done {rank() - _local_rank()}"
    if _local_rank() > 0:
        with translate_errors():
            _store.wait([ours], _LONGEST_PREPARATION)
        return work()
    result = work()
    _store.set(ours, "1")
    return result


def _take_accelerator() -> None:
    if _local_rank() >= torch.accelerator.device_count():
        raise UserError(
            f"process {_local_rank()} of this machine has no device of its own, for there are "
            f"{torch.accelerator.device_count()}: start fewer, or set LOCAL_RANK to 0 "
            "where each process is shown its own device alone"
        )
    torch.accelerator.set_device_index(_local_rank())


def _start_group(wait: timedelta, device: str) -> tuple[Any, int, int]:
    """Meet the other ranks; returns the store, this rank and the number of ranks."""
    from torch.distributed.rendezvous import rendezvous  # not in every build of PyTorch

    with translate_errors():
        store, number, count = next(rendezvous("env://", timeout=wait))
    if os.environ.get(_LAUNCHERS_STORE) == "True":
        # it outlives a restart: keys of an earlier start must not count. The number of restarts is
        # that of the machine, and a replaced machine has none; then every start has a new store
        start = f"start {os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)}"
        store = dist.PrefixStore(start, store)  # type: ignore[attr-defined]
    dist.init_process_group(
        choose_back_ends(device), store=store, rank=number, world_size=count, timeout=wait
    )
    return store, number, count


def choose_back_ends(device: str) -> str:
    """One for tensors on the CPU and one for the accelerator; by default PyTorch takes only one."""
    found = torch.accelerator.current_accelerator(check_available=True)
    if device == "cpu" or found is None:
        return "cpu:gloo"
    return f"cpu:gloo,{found.type}:{dist.get_default_backend_for_device(found)}"


def _local_rank() -> int:
    return int(os.environ.get("LOCAL_RANK", os.environ.get("RANK", "0")))


def _find_lost_rank(store: Any, number: int, count: int, why: str) -> str:
    """A sentence naming the ranks that do not wait as this one does: dead, stopped or stuck."""
    silent: list[str] = []

    def find() -> None:
        with suppress(RuntimeError):  # the process with the store may have ended too
            store.set(f"waits {number}", "1")
            time.sleep(_GRACE)
            silent.extend([str(n) for n in range(count) if not store.check([f"waits {n}"])])

    search = threading.Thread(target=find, daemon=True)
    search.start()
    search.join(3 * _GRACE)  # the process with the store may be the one that is stuck
    who = f"rank {', '.join(silent)}" if silent else "another rank"
    return f"rank {number}: {who} has ended or does not answer ({why})"


@contextmanager
def report_step_on_loss(state: TrainState) -> Iterator[None]:
    """Within, a PeerLost names the step after which it came."""
    try:
        yield
    except PeerLost as lost:
        raise PeerLost(f"after step {state.step}: {lost}") from None


@dataclass(frozen=True)
class StopDecision:
    """What all ranks do after a step."""

    leave: signal.Signals | None  # the signal that one of them was sent
    stop: bool  # rank 0 ends the run


def sync_stop(received: signal.Signals | None, stop: bool) -> StopDecision:
    """Agree on one decision with all ranks, from the signal that any got and rank 0's wish to stop.

    The other ranks wait here for rank 0. A later signal counts in the next step.
    """
    if num_ranks() == 1:
        return StopDecision(received, stop)
    numbers = max_over_ranks(torch.tensor([received.value if received else 0, int(stop)]))
    number, stopped = map(int, numbers)
    return StopDecision(signal.Signals(number) if number else None, bool(stopped))


def share_state(state: TrainState, config: RunConfig, newest: Path | None = None) -> None:
    """Give all ranks the state that rank 0 has restored from its newest checkpoint, if any."""
    if num_ranks() == 1:
        return
    ours = b"" if newest is None else read_verified(newest)
    payload = broadcast_from_first(ours if rank() == 0 else None)
    if payload and rank() > 0:
        trusted = list_modules(dump(config))
        checkpoint.restore(
            state, checkpoint.parse_checkpoint(payload, Path("rank 0's checkpoint"), trusted)
        )


def share_resolved(config: RunConfig) -> RunConfig:
    """With rank 0's precision and digest of the initial model, which it alone reads."""
    init = config.init
    precision, *digest = share_words([config.precision, *([str(init.sha256)] if init else [])])
    if init is not None and digest:
        init = replace(init, sha256=digest[0])
    return replace(config, precision=precision, init=init)  # type: ignore[arg-type]


def share_words(words: Sequence[str]) -> list[str]:
    """Rank 0's words."""
    payload = json.dumps(list(words)).encode() if rank() == 0 else None
    found: list[str] = json.loads(broadcast_from_first(payload))
    return found


def check_alike(config: RunConfig, dataset: Dataset) -> None:
    """Raise UserError when a rank has other settings or other images than rank 0."""
    facts = {"settings": repr(config), "images": dataset.content_hash}
    for what, text in facts.items():
        digests = gather_from_ranks(_digest(text.encode())[None])
        for number, theirs in enumerate(digests):
            if not torch.equal(theirs, digests[0]):
                raise UserError(
                    f"rank {number} has other {what} than rank 0: give all ranks the same"
                )


def check_in_step(state: TrainState) -> None:
    """Raise RanksDiffer, naming a tensor, unless all ranks hold the same state to the bit.

    Of a sharded state only buffers are compared: of the rest no two ranks hold the same part.
    """
    if num_ranks() == 1:
        return
    named = [one for one in checkpoint.named_tensors(state) if not is_sharded(one[1])]
    names, tensors = zip(*named, strict=True)
    ours = torch.stack([_digest(t.detach().cpu().numpy().tobytes()) for t in tensors])
    for number, theirs in enumerate(every := gather_from_ranks(ours)):
        for name, here, there in zip(names, every[0], theirs, strict=True):
            if not torch.equal(here, there):
                raise RanksDiffer(
                    f"after step {state.step} rank {number} holds another {name} than rank 0: "
                    "machines that are not alike, a fault of the hardware or of a custom part; "
                    "what was saved before is whole"
                )


def _digest(content: bytes) -> Tensor:
    """64 bits."""
    return torch.frombuffer(bytearray(hashlib.sha256(content).digest()[:8]), dtype=torch.int64)[0]
