"""The text of `ssgan data inspect`."""

from ssgan.cli.folders.inspection import GUIDE, Inspection, count_words

_LISTED = 5  # items named under a title
_CLASSES = 12  # classes named with their counts
_BAR = 30  # characters of the longest bar
_TITLE = 14  # characters of the titles' column


def format_inspection(found: Inspection) -> str:
    """What was found as lines of text, each subject under a title."""
    subjects = [
        ("items", _items(found)),
        ("not usable", _broken(found)),
        ("formats", _formats(found)),
        ("short side", _sizes(found)),
        ("copies", _copies(found)),
        ("labels", _labels(found)),
        ("notes", found.warnings),
        ("does up show?", _rotation(found)),
        ("suggestion", [*found.suggestion.reasons, found.command]),
    ]
    lines = [found.source]
    for title, texts in subjects:
        for number, text in enumerate(texts):
            lines.append(f"{'' if number else title:{_TITLE}}{text}")
    return "\n".join(lines)


def _items(found: Inspection) -> list[str]:
    survey, views = found.survey, found.collection.views
    crops = f", {views} crops of each picture" if views > 1 else ""
    if survey.is_whole:
        return [f"{survey.total:,}{crops}, all read; {len(survey.usable):,} usable"]
    return [
        f"{survey.total:,}{crops}; {len(survey.numbers):,} of them read, drawn with seed "
        f"{found.seed}: shares below refer to these",
        f"{len(survey.usable):,} of those usable",
    ]


def _broken(found: Inspection) -> list[str]:
    rejected = found.survey.rejected
    low, high = (f"{100 * share:.2g}" for share in found.broken_interval())
    if not rejected:
        whole = found.survey.is_whole or not found.survey.from_files
        return [] if whole else [f"none of those read; at most {high} % of all (95 %)"]
    share = "" if found.survey.is_whole else f"; {low} to {high} % of all (95 %)"
    lines = [f"{len(rejected):,} of {len(found.survey.numbers):,}{share}"]
    lines += [f"  {name}: {reason}" for name, reason in rejected[:_LISTED]]
    if len(rejected) > _LISTED:
        lines.append(f"  and {len(rejected) - _LISTED:,} more; --json lists 100")
    return lines


def _formats(found: Inspection) -> list[str]:
    headers = found.survey.headers
    if not found.survey.from_files:
        return [f"no files: {headers[0].mode}"]
    lines = [
        count_words(header.format for header in headers),
        f"modes: {count_words(header.mode for header in headers)}",
    ]
    for count, words in (
        (sum(header.orientation != 1 for header in headers), "rotated by an orientation tag"),
        (sum(header.transparent for header in headers), "with transparency, over the background"),
        (sum(header.animated for header in headers), "animated: the first frame is used"),
    ):
        if count:
            lines.append(f"{count:,} {words}")
    return lines


def _sizes(found: Inspection) -> list[str]:
    sizes = found.sizes
    if not found.survey.from_files:
        width, height = sizes.widths[0], sizes.heights[0]
        return [f"{width:,} x {height:,} pixels, by the source"]
    first, last = sizes.short_sides[0], sizes.short_sides[-1]
    if first == last:
        return [f"{first:,} pixels, of all"]
    bins = [(low, high, count) for low, high, count in sizes.histogram() if count]
    most = max(count for *_, count in bins)
    lines = [f"{first:,} to {last:,} pixels, median {sizes.median:,}"]
    for low, high, count in bins:
        name = f"{low:,} and more" if high is None else f"{low:,} to {high - 1:,}"
        lines.append(f"  {name:14} {count:8,}  {'#' * max(1, round(_BAR * count / most))}")
    return lines


def _copies(found: Inspection) -> list[str]:
    copies = found.copies
    among = "bytes among all items" if copies.by_bytes else "pixels within the sample"
    if found.survey.is_whole:
        among = "bytes or pixels" if copies.by_bytes else "pixels"
    lines = [f"{copies.repeated:,} of {copies.compared:,} compared have a copy, by {among}"]
    for group in copies.groups[:_LISTED]:
        names = ", ".join(found.item(number) for number in group[:_LISTED])
        lines.append(f"  {names}{', ...' if len(group) > _LISTED else ''}")
    if len(copies.groups) > _LISTED:
        lines.append(f"  and {len(copies.groups) - _LISTED:,} more groups; --json lists 100")
    torn = copies.in_two_classes(found.collection.labels())
    if torn:
        names = ", ".join(map(found.item, torn[0][:_LISTED]))
        pictures = "picture is" if len(torn) == 1 else "pictures are"
        lines.append(f"{len(torn):,} {pictures} in more than one class: {names}")
    return lines


def _labels(found: Inspection) -> list[str]:
    counts = found.class_counts
    if not counts:
        return ["none; SS-GAN needs none"]
    listed = ", ".join(f"{name} {count:,}" for name, count in list(counts.items())[:_CLASSES])
    more = ", ..." if len(counts) > _CLASSES else ""
    lines = [f"{len(counts):,} classes: {listed}{more}"]
    if missing := found.collection.num_unlabelled():
        lines.append(f"{missing:,} without a label")
    return lines


def _rotation(found: Inspection) -> list[str]:
    rotation = found.rotation
    if rotation is None:
        return [found.advice]
    return [
        f"{100 * rotation.accuracy:.0f} % +- {100 * rotation.margin:.0f} points of the rotations "
        f"of {rotation.num_images} pictures are recognised",
        found.advice,
        f"({GUIDE})",
    ]
