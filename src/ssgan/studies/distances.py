"""Frechet distances that were measured for a study, and the protocol they have in common."""

from collections.abc import Sequence

from ssgan.evaluation.format import protocol_lines, require_same_protocol
from ssgan.evaluation.results import Result, read_results
from ssgan.studies.jobs import FileJob, TrainingJob
from ssgan.studies.trial import Trial
from ssgan.types import UserError


def distance(job: FileJob) -> Result:
    """The number that `ssgan evaluate` wrote."""
    return read_results(job.result)[0]


def last_distance(trial: Trial) -> Result:
    """The number of the last step; UserError when an older state was measured in its place."""
    assert isinstance(trial.training, TrainingJob)
    job, step = trial.measuring[-1], trial.training.config.total_steps
    result = distance(job)
    if not result.subject.endswith(f"step {step}"):
        raise UserError(
            f"{job.result} is of {result.subject}, not of step {step}: move it away, and run the "
            "same command again"
        )
    return result


def refuse_unlike(results: Sequence[Result]) -> None:
    """Raise UserError when there are two protocols, or two names of numbers."""
    remedy = "; move the results of one of them away, and run the same command again"
    names = sorted({result.name for result in results})
    try:
        require_same_protocol(results)
        if len(names) > 1:
            raise UserError(f"{' and '.join(names)} are different numbers")
    except UserError as error:
        raise UserError(f"these results are of two protocols: {error}{remedy}") from None


def describe_protocol(results: Sequence[Result]) -> list[str]:
    """The protocol, in lines."""
    protocol = results[0].protocol
    seeds = ", ".join(map(str, protocol.seeds))
    return [
        *protocol_lines(results),
        f"measured {protocol.num_fake:,} images each, of sample seed {seeds}",
    ]


def protocol_facts(results: Sequence[Result]) -> dict[str, object]:
    """What the numbers are, and their protocol, as JSON."""
    protocol = results[0].protocol
    return {
        "number": results[0].name,
        "protocol": {
            **{name: value for name, value in vars(protocol).items() if name != "seeds"},
            "against": sorted({result.against for result in results}),
            "sample_seeds": list(protocol.seeds),
        },
    }
