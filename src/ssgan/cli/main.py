"""`ssgan VERB ...`: finds the verb, reads its options, runs it, turns errors into one line."""

import errno
import importlib
import sys
from pathlib import Path

from ssgan import __version__
from ssgan.cli import measure_options, options
from ssgan.cli.folders.options import Data, Orient, Similar
from ssgan.cli.help import format_completion, format_help, format_overview
from ssgan.cli.images.options import Project, Sample
from ssgan.cli.models.options import Export, Import
from ssgan.cli.parser import UsageError, VerbOptions, parse
from ssgan.cli.streams import find_output_error, tolerate_lost_output
from ssgan.cli.web.options import Web
from ssgan.config.nearest import nearest
from ssgan.config.text import is_storable
from ssgan.files.names import printable

VERBS: dict[str, type[VerbOptions]] = {
    "demo": options.Demo,
    "train": options.Train,
    "sample": Sample,
    "project": Project,
    "export": Export,
    "import": Import,
    "evaluate": measure_options.Evaluate,
    "runs": options.Runs,
    "show": options.Show,
    "web": Web,
    "report": options.Report,
    "data": Data,
    "orient": Orient,
    "similar": Similar,
    "probe": measure_options.Probe,
    "features": measure_options.Features,
    "forget": measure_options.Forget,
    "study": options.Study,
    "tune": options.Tune,
    "doctor": options.Doctor,
}
OTHER_VERBS = {  # what other programs call them, and what does it here
    "list": "`ssgan runs` lists the runs of a folder",
    "ls": "`ssgan runs` lists the runs of a folder",
    "generate": "`ssgan sample RUN` generates images",
    "invert": "`ssgan project RUN IMAGE --out DIR` finds the latent of a picture",
    "interpolate": "`ssgan sample RUN --interpolate FILE.webp` makes an animation",
    "resume": "`ssgan train RUN` continues a run",
    "continue": "`ssgan train RUN` continues a run",
    "fid": "`ssgan evaluate RUN` computes the FID",
    "eval": "`ssgan evaluate RUN` measures samples",
    "dashboard": "`ssgan web` shows runs in the browser",
    "serve": "`ssgan web` shows runs in the browser",
    "html": "`ssgan report RUN` writes one HTML file about a run",
    "plot": "`ssgan show RUN --curves FILE.png` draws a run's curves",
    "convert": "`ssgan import FILE` reads weights of other programs",
    "finetune": "`ssgan train --init MODEL --data SOURCE` begins with the weights of a model",
    "prepare": "`ssgan data prepare SOURCE` prepares images",
    "inspect": "`ssgan data inspect SOURCE` inspects images before training",
    "rotate": "`ssgan orient FOLDER --model MODEL` finds pictures that are not upright",
    "duplicates": "`ssgan similar FOLDER --model MODEL` finds near duplicates",
    "search": "`ssgan similar FOLDER --to IMAGE --model MODEL` searches by example",
}
_PLACES = {  # module and function of a verb, if not `main` in a module of its name
    "doctor": ("doctor.report", "doctor"),
    "data": ("folders.data", "main"),
    "features": ("probe", "features"),
    "export": ("models.export", "main"),
    "import": ("models.import_model", "main"),
    "orient": ("folders.orient", "main"),
    "project": ("images.project", "main"),
    "runs": ("runs.listing", "runs"),
    "sample": ("images.sample", "main"),
    "similar": ("folders.similar", "main"),
    "web": ("web.serve", "main"),
}
BAD_INPUT, LOST, NON_FINITE, DISK_FULL, INTERRUPTED = 2, 69, 70, 74, 130
_RUNS = ("train", "demo", "forget")  # what saves and ends when a signal arrives
_SAVED = "what was saved is whole"
_LESS = {  # what needs less memory
    "train": "the same run needs less with --activation_checkpointing true (residual networks), a "
    f"new run with --accumulation N or a smaller batch, width or image size; {_SAVED}",
    "forget": f"in another directory a smaller --batch, --width or --size needs less; {_SAVED}",
}
_TOO_MANY = (  # said by torch, and by NumPy
    *("Storage size calculation overflowed", "Overflow when unpacking"),
    *("array is too big", "Maximum allowed dimension exceeded"),
)


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    with tolerate_lost_output() as stdout:
        code = _command(sys.argv[1:] if argv is None else argv)
        lost = find_output_error(stdout)
        if lost is None or code != 0:
            return code
        limit = " (ulimit -f)" if lost.errno == errno.EFBIG else ""
        reason = f"{lost.strerror}{limit}"
        sentence = f"standard output cannot be written: {reason}; all else is done"
        return _complain(sentence, DISK_FULL)


def _command(argv: list[str]) -> int:
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(format_overview(VERBS), end="")
        return 0 if argv else BAD_INPUT
    if argv[0] == "--version":
        print(f"ssgan {__version__}")
        return 0
    try:
        if not is_storable("".join(argv)):
            raise UsageError("a word holds a zero byte or half a character, as no name does")
        if argv[0].startswith("--print-completion"):
            shell = argv[0].partition("=")[2] or " ".join(argv[1:2])
            print(format_completion(shell, VERBS))
            return 0
        return _verb(argv[0], argv[1:])
    except UsageError as error:
        return _complain(str(error), BAD_INPUT)
    except KeyboardInterrupt:
        return _complain("interrupted; run the same command again to continue", INTERRUPTED)


def _verb(verb: str, argv: list[str]) -> int:
    owner = VERBS.get(verb)
    if owner is None:
        raise UsageError(_no_verb(verb))
    wants_help = any(word in ("-h", "--help") for word in argv)
    if wants_help and owner.has_more_help is VerbOptions.has_more_help:
        print(format_help(verb, owner), end="")
        return 0
    given: VerbOptions = parse(verb, owner, argv)
    if given.help:
        print(format_help(verb, owner), end="")
        if not given.has_more_help():
            return 0
        print()
    return _run(verb, given)


def _no_verb(verb: str) -> str:
    near = nearest(verb, VERBS)
    hint = OTHER_VERBS.get(verb) or (
        f"did you mean {near[0]}?" if near else f"the verbs are {', '.join(VERBS)}"
    )
    return f"no verb {verb!r}; {hint}"


def _run(verb: str, given: VerbOptions) -> int:
    from ssgan.training.signals import exit_on_sigusr1

    if verb in _RUNS:
        exit_on_sigusr1()  # before PyTorch is imported, which takes seconds
    from ssgan.files.atomic import DiskFull
    from ssgan.files.errors import translate_file_errors
    from ssgan.types import NonFinite, PeerLost, RanksDiffer, UserError

    try:
        with translate_file_errors(Path.cwd()):
            module, function = _PLACES.get(verb, (verb, "main"))
            work = getattr(importlib.import_module(f"ssgan.cli.{module}"), function)
            code: int = work(given)
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
    no_place_for_its_stack = "can't start new thread"
    said = ("can't allocate memory", "out of memory", "DefaultCPUAllocator", no_place_for_its_stack)
    words = (*said, *_TOO_MANY)
    if str(error) == "could not create a primitive":  # oneDNN, without memory
        return True
    return isinstance(error, MemoryError) or any(word in str(error) for word in words)


def _complain(sentence: str, code: int) -> int:
    print(f"ssgan: {printable(sentence)}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
