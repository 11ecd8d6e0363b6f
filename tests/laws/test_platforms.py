"""`ssgan` needs nothing that Windows or macOS lacks, as far as can be known without one.

Two checks. mypy knows which names of the standard library each system has. And a child process
hides from the modules of `ssgan`, not from its libraries, which have code of their own for Windows,
what Windows lacks; then it trains, resumes, samples and evaluates.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.training import tiny

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]

HIDE = """
import builtins, os, signal, sys, types

MODULES = {"fcntl", "grp", "pty", "pwd", "resource", "syslog", "termios", "tty"}
OS = '''O_CLOEXEC O_DIRECTORY O_NOFOLLOW O_NONBLOCK O_NOCTTY O_SYNC O_TMPFILE SEEK_DATA WNOHANG
chown chroot confstr ctermid fchdir fchmod fchown fork forkpty fstatvfs getegid geteuid getgid
getgroups getloadavg getpgid getpgrp getpriority getresuid getsid getuid initgroups killpg lchown
lockf major makedev mkfifo mknod nice openpty pathconf pipe2 posix_fadvise posix_fallocate
posix_spawn pread preadv pwrite pwritev register_at_fork sched_getaffinity sched_setaffinity
sched_yield sendfile setegid seteuid setgid setgroups setpgid setsid setuid splice statvfs sync
sysconf tcgetpgrp uname wait wait3 wait4'''.split()
SIGNALS = '''SIGALRM SIGBUS SIGCHLD SIGCONT SIGHUP SIGKILL SIGPIPE SIGPROF SIGQUIT SIGSTOP SIGTSTP
SIGTTIN SIGTTOU SIGUSR1 SIGUSR2 SIGWINCH alarm getitimer pause pthread_kill pthread_sigmask
setitimer sigpending siginterrupt sigtimedwait sigwait sigwaitinfo'''.split()


class Without(types.ModuleType):
    def __init__(self, module, missing, **changed):
        super().__init__(module.__name__)
        self.__dict__.update(_module=module, _missing=set(missing), **changed)

    def __getattr__(self, name):
        if name in self._missing:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r} on Windows")
        return getattr(self._module, name)


FAKES = {
    "os": Without(os, OS, name="nt"),
    "signal": Without(signal, SIGNALS),
    "sys": Without(sys, (), platform="win32"),
}
real_import = builtins.__import__


def windows_import(name, globals=None, locals=None, fromlist=(), level=0):
    if ((globals or {}).get("__name__") or "").partition(".")[0] == "ssgan" and not level:
        if name in MODULES:
            raise ModuleNotFoundError(f"No module named {name!r} on Windows", name=name)
        if name in FAKES:
            return FAKES[name]
    return real_import(name, globals, locals, fromlist, level)


builtins.__import__ = windows_import
"""

IMPORT_ALL = """
import importlib, pkgutil
import ssgan
for module in pkgutil.walk_packages(ssgan.__path__, "ssgan."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
"""

RUN = """
from pathlib import Path
import torch
from ssgan.cli.main import main
from ssgan.runs.config import DataConfig
from tests.cli.test_main import TINY
from tests.training import tiny

torch.set_num_threads(1)
root, dataset = Path(sys.argv[1]), tiny.images()
config = tiny.tiny()
tiny.stop_after(config, root / "run", dataset, 3)
print("digest", tiny.to_the_end(config, root / "run", dataset))
SCENES = ["--data", "scenes:num_images=40", "--evaluate.every", "0", *TINY]
COMMANDS = [
    ["train", "scenes:ssgan", "--run", str(root / "new"), *SCENES],
    ["sample", str(root / "run"), "--out", str(root / "samples")],
    ["evaluate", str(root / "run"), "--against", "scenes:num_images=16", "--features", "random",
     "--n", "32", "--seeds", "1"],
]
for command in COMMANDS:
    print(command[0], main(command))
"""


def child(script: str, *arguments: str) -> str:
    """What a child process prints; the test fails with its errors if it fails."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, *arguments],
        cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("name", ["os.fork", "signal.SIGUSR1", "fcntl"])
def test_the_fake_hides_what_windows_lacks(name: str, tmp_path: Path) -> None:
    """From modules of `ssgan` alone."""
    module, _, attribute = name.partition(".")
    use = f"import {module}\n{module}.{attribute}" if attribute else f"import {module}"
    hidden = f"try:\n    exec({use!r}, {{'__name__': 'ssgan.planted'}})\n"
    hidden += "except (AttributeError, ImportError) as error:\n    print(error)\n"
    assert "on Windows" in child(f"{HIDE}\n{hidden}{use}")


def test_every_module_can_be_imported() -> None:
    child(HIDE + IMPORT_ALL)


def test_a_run_is_trained_resumed_sampled_and_evaluated(tmp_path: Path) -> None:
    """With the same numbers as on this system."""
    printed = child(HIDE + RUN, str(tmp_path / "hidden")).splitlines()
    assert {"train 0", "sample 0", "evaluate 0"} <= set(printed)
    digest = tiny.to_the_end(tiny.tiny(), tmp_path / "usual", tiny.images())
    assert f"digest {digest}" in printed


def users_of_what_may_be_lacking() -> list[str]:
    """The files that import a module of which a platform lacks names, as mypy's stubs say."""
    stubs = Path(pytest.importorskip("mypy").__file__).parent / "typeshed" / "stdlib"
    lacking = [
        ".".join(stub.relative_to(stubs).with_suffix("").parts).removesuffix(".__init__")
        for stub in stubs.rglob("*.pyi")
        if re.search(r"^(if|elif) .*sys\.platform", stub.read_text(), re.MULTILINE)
    ]
    imported = re.compile(
        rf"^\s*(import|from) ({'|'.join(map(re.escape, lacking))})\b", re.MULTILINE
    )
    files = (ROOT / "src" / "ssgan").rglob("*.py")
    return [str(file) for file in files if imported.search(file.read_text())]


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_mypy_finds_no_name_that_the_platform_lacks(platform: str, tmp_path: Path) -> None:
    """Without the libraries, whose types take long to read and do not matter here."""
    users = users_of_what_may_be_lacking()
    assert str(ROOT / "src" / "ssgan" / "files" / "atomic.py") in users
    planted = tmp_path / "planted.py"
    planted.write_text("import os\nos.memfd_create('a')\n")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--platform", platform, "--follow-imports", "skip",
         "--cache-dir", str(tmp_path), *users, str(planted)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    missing = [line for line in done.stdout.splitlines() if "Module has no attribute" in line]
    assert len(missing) == 1, "\n".join(missing) + done.stderr
    assert "memfd_create" in missing[0]
