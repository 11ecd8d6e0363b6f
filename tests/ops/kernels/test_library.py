"""C files are compiled once into the cache; without a compiler there is a reason, not an error."""

import logging

import pytest
import torch

from ssgan.ops.kernels import library
from ssgan.ops.kernels.library import load_kernels

compiler = pytest.mark.skipif(
    not any(library.shutil.which(name) for name in library._COMPILERS), reason="needs a C compiler"
)
ADD = """
int add(const float *a, float *b, long n, float c) {
    for (long i = 0; i < n; i++) b[i] = a[i] + c;
    return 0;
}
"""


@pytest.fixture
def kernels(tmp_path, monkeypatch):
    """A folder of C files in place of the package's, and an empty cache."""
    monkeypatch.setattr(library, "files", lambda _: tmp_path)
    monkeypatch.setattr(library, "user_cache_path", lambda *_, **__: tmp_path / "cache")
    load_kernels.cache_clear()
    yield tmp_path
    load_kernels.cache_clear()


@compiler
def test_a_file_is_compiled_once_and_again_when_it_changes(kernels, monkeypatch):
    (kernels / "add.c").write_text(ADD)
    ones, sums = torch.ones(5), torch.zeros(5)
    library.call(load_kernels("add", ()), "add", ones, sums, 5, 2.0)
    assert sums.tolist() == [3.0] * 5
    (made,) = (kernels / "cache" / "kernels").iterdir()
    load_kernels.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(library.subprocess, "run", None)  # nothing is compiled
        load_kernels("add", ())
    (kernels / "add.c").write_text(ADD.replace("+ c", "- c"))
    load_kernels.cache_clear()
    library.call(load_kernels("add", ()), "add", ones, sums, 5, 2.0)
    assert sums.tolist() == [-1.0] * 5
    assert len(list(made.parent.iterdir())) == 2


@compiler
def test_a_file_that_does_not_compile_is_left_out_with_a_reason(kernels, caplog):
    (kernels / "add.c").write_text("no C")
    with caplog.at_level(logging.WARNING):
        assert load_kernels("add", ()) is None
        assert load_kernels("add", ()) is None
    (record,) = caplog.records
    assert "add.c is not compiled" in record.getMessage()
    assert list((kernels / "cache" / "kernels").iterdir()) == []


def test_without_a_compiler_there_is_a_reason(kernels, caplog, monkeypatch):
    (kernels / "add.c").write_text(ADD)
    monkeypatch.setattr(library.shutil, "which", lambda _: None)
    with caplog.at_level(logging.WARNING):
        assert load_kernels("add", ()) is None
    assert "there is no C compiler (gcc or cc)" in caplog.text


@compiler
def test_a_folder_that_others_may_write_in_is_not_used(kernels, caplog):
    (kernels / "add.c").write_text(ADD)
    assert load_kernels("add", ()) is not None
    (kernels / "cache" / "kernels").chmod(0o777)
    load_kernels.cache_clear()
    with caplog.at_level(logging.WARNING):
        assert load_kernels("add", ()) is None
    assert "others may write in" in caplog.text


@compiler
def test_a_function_without_memory_is_an_error_of_memory(kernels):
    (kernels / "add.c").write_text(ADD.replace("return 0", "return 1"))
    with pytest.raises(MemoryError, match="not enough memory for add"):
        library.call(load_kernels("add", ()), "add", torch.ones(5), torch.zeros(5), 5, 2.0)
