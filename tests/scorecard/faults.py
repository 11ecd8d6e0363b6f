"""For every promise faults of the package, each of which its tests must see."""

from tests.scorecard.faults_inputs import INPUT_FAULTS
from tests.scorecard.faults_rest import OTHER_FAULTS
from tests.scorecard.faults_runs import RUN_FAULTS
from tests.scorecard.promise import Mutant

FAULTS: dict[str, tuple[Mutant, ...]] = {**INPUT_FAULTS, **RUN_FAULTS, **OTHER_FAULTS}
