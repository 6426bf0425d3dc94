"""Dagster's SQLite storages with connections that are kept.

Dagster makes an engine and opens a connection for every statement: SQLAlchemy compiles each anew, SQLite reads the
schema anew and, when the last connection closes, copies its write-ahead log. That is more than half of what a small run
costs.

Belongs here: that one change; an instance's dagster.yaml names the classes. Does not belong here: what is stored.
"""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from dagster._core.storage.event_log.sqlite.consolidated_sqlite_event_log import ConsolidatedSqliteEventLogStorage
from dagster._core.storage.runs.sqlite import SqliteRunStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy import create_engine, inspect
from sqlalchemy.engine import Connection, Engine

SECONDS_TO_WAIT = 60
"""For another process that writes: a backfill's runs write to one event log."""


def _pool(address: str) -> Engine:
    """A few connections that are kept, and as many more as are asked for at a time."""
    return create_engine(address, max_overflow=-1, connect_args={"timeout": SECONDS_TO_WAIT})


class PooledEventLogStorage(ConsolidatedSqliteEventLogStorage):
    """One event log for all runs."""

    @cached_property
    def _pool(self) -> Engine:
        return _pool(self._conn_string)

    @contextmanager
    def _connect(self) -> Generator[Connection]:
        with self._pool.begin() as connection:
            yield connection

    def has_table(self, table_name: str) -> bool:
        """Whether the database has a table of this name."""
        return inspect(self._pool).has_table(table_name)

    def dispose(self) -> None:
        """Close the connections."""
        self._pool.dispose()
        super().dispose()


class PooledRunStorage(SqliteRunStorage):
    """The runs and their tags."""

    @cached_property
    def _pool(self) -> Engine:
        return _pool(self._conn_string)

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "PooledRunStorage":
        """As Dagster's, which would make one of its own class."""
        return cls.from_local(inst_data=inst_data, **config_value)

    @contextmanager
    def connect(self) -> Generator[Connection]:
        """A transaction on a connection of the pool."""
        with self._pool.begin() as connection:
            yield connection

    def dispose(self) -> None:
        """Close the connections."""
        self._pool.dispose()
        super().dispose()
