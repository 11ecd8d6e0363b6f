"""Arrays of an .npz file: what a header declares is checked before it is unpacked."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from ssgan.files.archive import ArchiveError
from ssgan.files.npz import list_arrays, read_array
from tests.files.packed import pack_zip

ARRAYS = {
    "a": np.arange(12, dtype=np.float32).reshape(3, 4),
    "b": np.asfortranarray(np.arange(6).reshape(2, 3)),
    "c": np.array("text"),
    "d": np.zeros((0, 3), np.uint8),
}


def refusal(path: Path) -> str:
    with pytest.raises(ArchiveError) as it:
        list_arrays(path)
    assert "\n" not in str(it.value)
    return str(it.value)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_are_read_as_numpy_reads_them(tmp_path: Path, save) -> None:
    path = tmp_path / "a.npz"
    save(path, **ARRAYS)
    headers = list_arrays(path)
    assert headers.keys() == ARRAYS.keys()
    for name, wanted in ARRAYS.items():
        found = read_array(path, headers[name], 1000)
        assert found.dtype == wanted.dtype
        assert np.array_equal(found, wanted)
    with pytest.raises(ArchiveError, match="an array of 48 bytes; at most 47 are read"):
        read_array(path, headers["a"], 47)


def test_zeros_that_unpack_to_a_thousand_times_their_size_are_refused(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", a=np.zeros(80 * 2**20, np.uint8))
    assert "that unpack to 83,886,208, as no image does" in refusal(tmp_path / "a.npz")


def test_pickles_and_headers_that_lie_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, a=np.array([{}], dtype=object))
    assert "holds Python objects, which are pickles" in refusal(path)
    stream = io.BytesIO()
    facts = {"descr": "<f4", "fortran_order": False, "shape": (2**40, 2**40)}
    np.lib.format.write_array_header_1_0(stream, facts)
    pack_zip(path, {"a.npy": stream.getvalue() + bytes(100)}, zipfile.ZIP_DEFLATED)
    assert "is damaged: (1099511627776, 1099511627776) float32 has another size" in refusal(path)
    pack_zip(path, {"a.npy": b"no array"})
    assert "'a.npy' is no array of numpy" in refusal(path)
    text = b"{'descr': '|u1', 'fortran_order': False,('shape': (10, 40), }"  # no Python
    pack_zip(path, {"a.npy": b"\x93NUMPY\x01\x00" + bytes([len(text), 0]) + text})
    assert "'a.npy' is no array of numpy" in refusal(path)
    pack_zip(path, {f"{k}.npy": b"" for k in range(1001)})
    assert "1,001 arrays; at most 1,000 are read" in refusal(path)
