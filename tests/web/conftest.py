"""One page over three runs for all tests of this folder."""

import pytest


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    from tests.web.pages import write_runs

    return write_runs(tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="session")
def port(folder):
    from tests.web.pages import serve

    with serve(folder) as found:
        yield found


@pytest.fixture(scope="session")
def rows(port):
    from tests.web.pages import read_rows

    return read_rows(port)
