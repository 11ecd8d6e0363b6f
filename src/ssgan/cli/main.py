"""`ssgan VERB ...`: finds the verb, runs it, turns errors into one line and an exit code."""

import difflib
import importlib
import sys
from pathlib import Path

from ssgan import __version__
from ssgan.cli.streams import losable, why_lost

VERBS = {
    "demo": "train SS-GAN on the embedded data set for a few minutes",
    "train": "train a recipe, or your own folder of images; run it again to continue",
    "sample": "make images from a run",
    "evaluate": "measure samples: FID and more, each number with its protocol",
    "show": "say how a run is doing, and draw its curves",
    "data": "prepare images ahead of a run",
    "probe": "say what D knows: classifiers on its features, block by block",
    "features": "write the features of D for any classifier",
    "forget": "the paper's test of forgetting: one class against the rest, and the next",
    "study": "make a table or figure of the paper, from training to drawing",
}
BAD_INPUT, LOST, NON_FINITE, DISK_FULL, INTERRUPTED = 2, 69, 70, 74, 130
_RUNS = ("train", "demo", "forget")  # what saves and ends when a signal asks
_SAVED = "what was saved is whole"
_LESS = {  # what needs less memory
    "train": "the same run needs less with --recompute true (residual networks), a new run with "
    f"--accumulation N or a smaller batch, width or image size; {_SAVED}",
    "forget": f"in another directory a smaller --batch, --width or --size needs less; {_SAVED}",
}
_TOO_MANY = (  # said by torch, and by NumPy
    *("Storage size calculation overflowed", "Overflow when unpacking"),
    *("array is too big", "Maximum allowed dimension exceeded"),
)

USAGE = (
    "usage: ssgan VERB ...\n\n"
    + "\n".join(f"  {verb:8} {what}" for verb, what in VERBS.items())
    + "\n\nssgan VERB --help tells more. Errors in the input end with exit code 2.\n"
)


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    with losable() as stdout:
        code = _command(sys.argv[1:] if argv is None else argv)
        lost = why_lost(stdout)
        if lost is None or code != 0:
            return code
        sentence = f"standard output cannot be written: {lost.strerror}; all else is done"
        return _complain(sentence, DISK_FULL)


def _command(argv: list[str]) -> int:
    if not argv or argv[0] in ("-h", "--help"):
        print(USAGE, end="")
        return 0 if argv else BAD_INPUT
    if argv[0] == "--version":
        print(f"ssgan {__version__}")
        return 0
    if argv[0] not in VERBS:
        near = difflib.get_close_matches(argv[0], VERBS, n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]}?" if near else f"; the verbs are {', '.join(VERBS)}"
        return _complain(f"no verb {argv[0]!r}{hint}", BAD_INPUT)
    try:
        return _run(argv[0], argv[1:])
    except KeyboardInterrupt:
        return _complain("interrupted; run the same command again to continue", INTERRUPTED)


def _run(verb: str, argv: list[str]) -> int:
    from ssgan.training.signals import exit_on_sigusr1

    if verb in _RUNS:
        exit_on_sigusr1()  # before PyTorch is imported, which takes seconds
    from ssgan.files.atomic import DiskFull
    from ssgan.files.errors import translate_file_errors
    from ssgan.types import NonFinite, PeerLost, RanksDiffer, UserError

    try:
        with translate_file_errors(Path.cwd()):
            code: int = importlib.import_module(f"ssgan.cli.{verb}").main(argv)
    except UserError as error:
        return _complain(str(error), BAD_INPUT)
    except NonFinite as error:
        advice = "the newest checkpoint is whole; in a new run, a lower learning rate may help"
        return _complain(f"{error}; {advice}", NON_FINITE)
    except PeerLost as error:
        return _complain(f"{error}; run the same command again to continue", LOST)
    except RanksDiffer as error:
        return _complain(str(error), NON_FINITE)
    except DiskFull as error:
        return _complain(str(error), DISK_FULL)
    except (MemoryError, RuntimeError, TypeError, ValueError) as error:  # of torch and NumPy too
        if not _out_of_memory(error):
            raise
        return _complain(f"not enough memory for this; {_LESS.get(verb, _SAVED)}", BAD_INPUT)
    return code


def _out_of_memory(error: Exception) -> bool:
    words = ("can't allocate memory", "out of memory", "DefaultCPUAllocator", *_TOO_MANY)
    return isinstance(error, MemoryError) or any(word in str(error) for word in words)


def _complain(sentence: str, code: int) -> int:
    print(f"ssgan: {sentence}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
