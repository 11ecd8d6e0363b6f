"""Where a search keeps what its sampler has seen: a file of JSON lines, or a database.

One process drives a search. A database holds any number of searches, each under a name of its own,
and other programs may read it meanwhile. Its password is neither printed nor stored.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ssgan.types import UserError

JOURNAL_NAME = "ssgan"  # of the only study in a journal


@dataclass(frozen=True)
class StudyPlace:
    """A study of Optuna in a file or a database."""

    journal: Path  # used without a database
    url: str | None = None  # of the database, for SQLAlchemy
    name: str = JOURNAL_NAME  # of the study

    def open(self) -> Any:
        """Optuna's study, new or as it is; raises UserError for a database that gives none.

        The tables of a new database are made here, before any trial begins.
        """
        import optuna

        if self.url is None:
            from optuna.storages import JournalStorage
            from optuna.storages.journal import JournalFileBackend

            storage: Any = JournalStorage(JournalFileBackend(str(self.journal)))
        else:
            with self.explain_errors():
                storage = optuna.storages.RDBStorage(
                    _choose_driver(self.url),
                    engine_kwargs={"pool_pre_ping": True},  # connects again after a lost connection
                )
        with self.explain_errors():
            return optuna.create_study(storage=storage, study_name=self.name, load_if_exists=True)

    @contextmanager
    def explain_errors(self) -> Iterator[None]:
        """Turn errors of the database, and a missing driver, into a UserError of one line."""
        from optuna.exceptions import StorageInternalError
        from sqlalchemy.exc import SQLAlchemyError

        try:
            yield
        except ImportError as error:
            raise UserError(
                f"no driver for --storage {hide_password(self.url)} ({error.__cause__ or error}); "
                "for PostgreSQL: pip install psycopg2-binary"
            ) from None
        except (StorageInternalError, SQLAlchemyError) as error:
            cause = error.__cause__ if isinstance(error, StorageInternalError) else error
            reason = str(getattr(cause, "orig", None) or cause or error).strip().split("\n", 1)[0]
            raise UserError(f"--storage {hide_password(self.url)}: {reason}") from None


def hide_password(url: str | None) -> str | None:
    """The URL of a database without password and options; raises UserError for no URL."""
    if url is None:
        return None
    from sqlalchemy.engine import URL

    full = _parse(url)
    place = {"host": full.host, "port": full.port, "database": full.database}
    return URL.create(full.drivername, full.username, **place).render_as_string()


def _parse(url: str) -> Any:
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        raise UserError(
            "--storage is no URL of a database: give postgresql://USER@HOST/NAME or "
            "sqlite:///FILE.db"
        ) from None


def _choose_driver(url: str) -> str:
    """The URL, with the driver of PostgreSQL that is installed unless it names one.

    The default differs between versions of SQLAlchemy.
    """
    full = _parse(url)
    installed = [name for name in ("psycopg", "psycopg2") if find_spec(name) is not None]
    if full.drivername == "postgresql" and installed:
        full = full.set(drivername=f"postgresql+{installed[0]}")
    return str(full.render_as_string(hide_password=False))
