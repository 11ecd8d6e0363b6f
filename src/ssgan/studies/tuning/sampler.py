"""Optuna's TPE sampler as the memory of a search: proposes values, and learns from scores.

The proposal for trial N depends on the seed, N and the ended trials alone, so a search that was
interrupted makes the same proposals.
"""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from ssgan.studies.tuning.space import Choices, Dimension, Space
from ssgan.studies.tuning.storage import StudyPlace
from ssgan.types import UserError

FEWEST = 10  # complete trials before settings have an importance


class Sampler:
    """Proposes the values of trials."""

    def __init__(self, place: StudyPlace, space: Space, seed: int, parallel: bool) -> None:
        """Open the study, or begin it; raises UserError without Optuna or without the database.

        With `parallel`, trials that still run are expected to be bad, so that proposals differ.
        """
        self._optuna, self._space, self._place = import_optuna(), space, place
        self._seed, self._parallel = seed, parallel
        with _quiet():
            self._study = place.open()
        self._distributions = {n: _distribution(one) for n, one in space.dimensions.items()}

    def count(self) -> int:
        """Trials so far, whatever became of them."""
        return len(self._list_trials())

    def list_running(self) -> list[tuple[int, dict[str, Any]]]:
        """Number and values of every trial that has not ended."""
        running = self._list_trials(self._optuna.trial.TrialState.RUNNING)
        return [(one.number, self._values(one.params)) for one in running]

    def begin(self) -> tuple[int, dict[str, Any]]:
        """The next trial; the first is the recipe, without values if it is outside the space."""
        number, fixed = self.count(), None
        if number == 0:
            fixed = self._space.values_of_recipe()
        if number == 0 and fixed is None:
            failed = self._optuna.trial.TrialState.FAIL  # the sampler ignores it
            with self._place.explain_errors():
                self._study.add_trial(self._optuna.trial.create_trial(state=failed))
            return 0, {}
        with _quiet(), self._place.explain_errors():
            if fixed is not None:
                self._study.enqueue_trial(self._params(fixed), skip_if_exists=True)
            self._study.sampler = self._optuna.samplers.TPESampler(
                seed=int(np.random.SeedSequence((self._seed, number)).generate_state(1)[0]),
                multivariate=True,
                constant_liar=self._parallel,
            )
            trial = self._study.ask(self._distributions)
        return trial.number, self._values(trial.params)

    def end(self, number: int, score: float | None) -> None:
        """Store the score of a trial; None counts as worse than any score."""
        state = None if score is not None else self._optuna.trial.TrialState.PRUNED
        with self._place.explain_errors():
            self._study.tell(number, score, state=state, skip_if_finished=True)

    def importances(self) -> dict[str, float]:
        """How much each dimension decides whether a trial is among the best tenth; sums to 1.

        By PED-ANOVA. Empty for fewer than 10 complete trials, or when all scores are equal.
        """
        trials = self._list_trials(self._optuna.trial.TrialState.COMPLETE)
        if len(trials) < FEWEST or len({one.value for one in trials}) < 2:
            return {}
        with _quiet():
            evaluator = self._optuna.importance.PedAnovaImportanceEvaluator()
            found = self._optuna.importance.get_param_importances(self._study, evaluator=evaluator)
        return {name: float(value) for name, value in found.items()}

    def _list_trials(self, *states: Any) -> list[Any]:
        """The trials of these states, or all of them."""
        with self._place.explain_errors():
            return list(self._study.get_trials(deepcopy=False, states=states or None))

    def _params(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Values as Optuna knows them: of choices the labels."""
        params = dict(values)
        for name, one in self._space.dimensions.items():
            if isinstance(one, Choices):
                params[name] = one.labels[one.values.index(values[name])]
        return params

    def _values(self, params: Mapping[str, Any]) -> dict[str, Any]:
        found = {}
        for name, one in self._space.dimensions.items():
            if name in params:
                found[name] = one.value(params[name])
        return found


def import_optuna() -> Any:
    """The package Optuna; UserError, naming the extra to install, without it."""
    with _quiet():
        try:
            import optuna
        except ImportError:
            raise UserError(
                "tune needs Optuna, which is not installed: pip install 'ssgan[tune]'"
            ) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def _distribution(dimension: Dimension) -> Any:
    from optuna import distributions as known

    if isinstance(dimension, Choices):
        return known.CategoricalDistribution(dimension.labels)
    low, high, log = dimension.low, dimension.high, dimension.log
    if dimension.whole:
        return known.IntDistribution(int(low), int(high), log=log, step=int(dimension.step or 1))
    return known.FloatDistribution(low, high, log=log, step=dimension.step)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Optuna's warnings of what is experimental."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
