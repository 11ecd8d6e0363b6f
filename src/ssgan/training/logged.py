"""The lines of a run's logs, each checked as it is read.

All raise UserError, naming file and line, for one that no run has written.
"""

from ssgan.files.jsonlines import NUMBER, NUMBER_OR_NULL, TEXT, WHOLE, read
from ssgan.files.layout import RunLayout

_LOG = {"step": WHOLE, "images_seen": WHOLE, "seconds": NUMBER}
_METRICS = {"step": WHOLE, "name": TEXT, "value": NUMBER_OR_NULL}
_EVENTS = {"step": WHOLE, "verdict": TEXT}


def log_lines(layout: RunLayout) -> list[dict[str, object]]:
    """The lines of log.jsonl: a step, images, seconds, and every term by its name."""
    return list(read(layout.log, _LOG, others=NUMBER))


def metric_lines(layout: RunLayout) -> list[dict[str, object]]:
    """The lines of metrics.jsonl: a step, a name, and a value or None."""
    return list(read(layout.metrics, _METRICS))


def event_lines(layout: RunLayout) -> list[dict[str, object]]:
    """The lines of events.jsonl: a step and a verdict."""
    return list(read(layout.events, _EVENTS))
