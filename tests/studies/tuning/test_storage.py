"""A search whose memory is in a real PostgreSQL makes the proposals of one with a journal."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from ssgan.studies.tuning.sampler import Sampler
from ssgan.studies.tuning.storage import StudyPlace, hide_password
from ssgan.types import UserError
from tests.studies.tuning.test_sampler import SPACE, score, search

SECRET = "t0ps3cret"


def find_server():
    """The folder of PostgreSQL's programs; None where it is not installed."""
    found = [*map(Path, filter(None, [shutil.which("initdb")]))]
    found += Path("/usr/lib/postgresql").glob("*/bin/initdb")
    return found[0].parent if found else None


@pytest.fixture(scope="module")
def server():
    """The URL of a database whose user has a password."""
    pytest.importorskip("psycopg2")
    programs = find_server()
    if programs is None or sys.platform == "win32":
        pytest.skip("PostgreSQL is not installed")
    as_user = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []  # it refuses root
    with tempfile.TemporaryDirectory() as folder, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        (Path(folder) / "password").write_text(SECRET)
        if as_user:
            shutil.chown(folder, "postgres")
        data = f"{folder}/data"

        def call(program, *words):
            command = [*as_user, str(programs / program), *words]
            subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL)

        call("initdb", "-D", data, "-U", "me", "-A", "scram-sha-256", "--no-sync",
             "--no-locale", "--pwfile", f"{folder}/password")  # fmt: skip
        listen = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
        call("pg_ctl", "-D", data, "-w", "-l", f"{folder}/log", "-o", listen, "start")
        yield f"postgresql://me:{SECRET}@127.0.0.1:{port}/postgres"
        call("pg_ctl", "-D", data, "-m", "immediate", "stop")


def sampler(place):
    return Sampler(place, SPACE, 0, False)


def test_a_search_in_a_database_makes_the_same_proposals_and_survives_lost_connections(
    server, tmp_path
):
    import psycopg2

    expected = search(sampler(StudyPlace(tmp_path / "journal")), 14)
    place = StudyPlace(tmp_path / "none", server, "first")
    found = search(sampler(place), 6)
    again = sampler(place)
    found += search(again, 4)
    connection = psycopg2.connect(server)
    with connection.cursor() as cursor:
        cursor.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where pid <> pg_backend_pid() and backend_type = 'client backend'"
        )
        assert len(cursor.fetchall()) > 0
    connection.close()
    number, values = again.begin()
    assert sampler(place).list_running() == [(number, values)]
    again.end(number, score(values))
    found += [values, *search(again, 3)]
    assert found == expected
    assert not (tmp_path / "none").exists()
    other = sampler(StudyPlace(tmp_path / "none", server, "second"))
    assert other.count() == 0


def test_a_database_that_gives_nothing_is_one_line_without_the_password(server, tmp_path):
    wrong = server.replace(SECRET, f"not-{SECRET}")
    elsewhere = f"postgresql://me:{SECRET}@127.0.0.1:1/postgres?connect_timeout=2"
    for url, reason in ((wrong, "password authentication failed"), (elsewhere, "refused")):
        with pytest.raises(UserError, match=reason) as caught:
            sampler(StudyPlace(tmp_path, url))
        (line,) = str(caught.value).splitlines()
        assert line.startswith("--storage postgresql://me@127.0.0.1:")
        assert SECRET not in line


def test_without_its_driver_one_line_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    with pytest.raises(UserError, match=r"no driver for .*pip install psycopg2-binary") as caught:
        sampler(StudyPlace(tmp_path, f"postgresql://me:{SECRET}@host/name"))
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("url", ["nonsense", f"me:{SECRET}@host/name", "postgresql://h:port/x"])
def test_what_is_no_url_is_not_repeated(url):
    with pytest.raises(UserError, match="--storage is no URL of a database") as caught:
        hide_password(url)
    assert SECRET not in str(caught.value)


def test_an_unknown_database_is_one_line(tmp_path):
    with pytest.raises(UserError, match=r"--storage magic://host/x: .*magic"):
        sampler(StudyPlace(tmp_path, "magic://host/x"))
