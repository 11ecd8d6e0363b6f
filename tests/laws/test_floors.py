"""Imports only go down: the contract of pyproject.toml, checked as the tests are run."""

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_imports_only_go_down():
    done = subprocess.run(
        [sys.executable, "-c", "import sys; from importlinter.cli import lint_imports_command; "
         "sys.exit(lint_imports_command())"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_only_the_command_line_prints_and_reads_arguments():
    guilty = []
    for file in (ROOT / "src" / "ssgan").rglob("*.py"):
        if "cli" in file.parts or file.name in ("__main__.py", "environment.py"):
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if called == "print" or (isinstance(node, ast.Attribute) and node.attr == "argv"):
                guilty.append(f"{file.name}:{node.lineno}")
    assert guilty == []


def test_importing_the_package_and_asking_for_help_loads_no_torch():
    code = (
        "import sys, ssgan; from ssgan.cli.main import main; main(['--help']); "
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 0
