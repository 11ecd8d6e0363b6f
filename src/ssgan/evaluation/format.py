"""Results as text. Values of different protocols are never in one table."""

from collections.abc import Sequence

from ssgan.evaluation.results import Result, require_comparable
from ssgan.metrics.protocol import AS_TRAINED, Protocol


def protocol_lines(results: Sequence[Result]) -> list[str]:
    """The protocol of all these results, which must be comparable."""
    protocol, against = results[0].protocol, sorted({result.against for result in results})
    lines = [
        f"against  {', '.join(against)}: {_real(protocol)}",
        f"features {protocol.features} {protocol.features_identity[:12]}, "
        f"resize {protocol.resize}, {protocol.dtype}",
    ]
    if protocol.alpha != "none":
        lines.append(f"transparent images were laid {protocol.alpha}")
    if protocol.fit != "crop":
        lines.append(f"pictures became squares by fit {protocol.fit}")
    if protocol.batch_norm != AS_TRAINED:
        lines.append(f"G's batch norms use recomputed statistics: {protocol.batch_norm}")
    if protocol.assumed:
        lines.append(
            f"assumed  {', '.join(against)}: {protocol.features} features, resize "
            f"{protocol.resize}; the file does not say, and other ones give other values"
        )
    return lines


def format_card(results: Sequence[Result]) -> str:
    """All results of one subject, a line each, with their deviation and parameters."""
    require_same_protocol(results)
    protocol, subject = results[0].protocol, results[0].subject
    width = max(len(result.name) for result in results)
    lines = [f"measured {subject}: {_fake(protocol)}", *protocol_lines(results)]
    for result in results:
        lines.append(
            f"{result.name:{width}}  {format_value(result):22}  {_details(result)}".rstrip()
        )
    seeds = protocol.seeds
    if len(seeds) > 1:
        lines.append(f"+- is the standard deviation over sample seeds {_join_seeds(seeds)}")
    return "\n".join(lines)


def format_comparison(results: Sequence[Result]) -> str:
    """A row a subject, a column a metric; a later result replaces an equal one.

    Raises UserError, naming what differs, when two results may not be compared.
    """
    require_same_protocol(results)
    columns = list(dict.fromkeys(result.name for result in results))
    rows: dict[str, dict[str, str]] = {}
    for result in results:
        rows.setdefault(result.subject, {})[result.name] = format_value(result)
    cells = [["", *columns]]
    cells += [[name, *(row.get(c, "-") for c in columns)] for name, row in rows.items()]
    widths = [max(len(row[k]) for row in cells) for k in range(len(cells[0]))]
    lines = [
        "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]
    fakes = _fake(results[0].protocol)
    return "\n".join([*protocol_lines(results), f"measured {fakes} each", "", *lines])


def require_same_protocol(results: Sequence[Result]) -> None:
    """Raise UserError, naming every difference, unless all results may be compared."""
    first_of: dict[str, Result] = {}
    for result in results:
        require_comparable(results[0], result)
        require_comparable(first_of.setdefault(result.name, result), result)


def format_value(result: Result) -> str:
    """The value and its deviation, in as many digits as are meaningful."""
    digits = 5 if 0 < abs(result.value) < 0.1 else 3 if abs(result.value) < 10 else 2
    spread = "" if result.spread is None else f" +- {result.spread:.{digits}f}"
    return f"{result.value:.{digits}f}{spread}"


def _details(result: Result) -> str:
    parts = []
    if result.low is not None and result.high is not None:
        parts.append(f"[{result.low:.3f}, {result.high:.3f}]")
    if result.std_within is not None:
        parts.append(f"+- {result.std_within:.5f} within a set")
    parts += [f"{name} {value}" for name, value in result.parameters.items()]
    return ", ".join(parts)


def _real(protocol: Protocol) -> str:
    count = "an unknown number of" if protocol.num_real is None else f"{protocol.num_real:,}"
    content = f", content {protocol.content[:12]}" if protocol.content else ""
    if protocol.selection == "unknown":
        return f"{count} real images, and which is unknown"
    chosen = "all of them" if protocol.selection == "all" else protocol.selection
    return f"{count} real images, split {protocol.split}, {chosen}{content}"


def _fake(protocol: Protocol) -> str:
    seeds = protocol.seeds
    more = f", {len(seeds)} times (sample seeds {_join_seeds(seeds)})" if len(seeds) > 1 else ""
    return f"{protocol.num_fake:,} images{more}"


def _join_seeds(seeds: Sequence[int]) -> str:
    return ", ".join(map(str, seeds))
