"""Fill arrays from answers and records, a column at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .._wire.constants import (
    PARTICLE_BLOB,
    PARTICLE_BOOL,
    PARTICLE_FLOAT,
    PARTICLE_INTEGER,
    PARTICLE_NULL,
    PARTICLE_STRING,
)
from .._wire.particles import decode_value
from .._wire.undecodable import ADVICE
from ..errors import ProtocolError
from ..keys import Key
from ..records import BatchResult, Record
from .fields import AnyArray, Field, Teller
from .row_layout import FIXED
from .vectorized_rows import Column, Positions, Rows, gather, take


class Arrays:
    """The arrays of one batch while they are filled.

    Args:
        dtype: of the records.
        fields: its fields.
        keys: of the batch.
    """

    def __init__(self, dtype: np.dtype[Any], fields: list[Field], keys: Sequence[Key]) -> None:
        count = len(keys)
        self._fields = fields
        self._keys = keys
        self.data: AnyArray = np.zeros(count, dtype)
        self.generations: npt.NDArray[np.uint32] = np.zeros(count, np.uint32)
        self.void_times: npt.NDArray[np.uint32] = np.zeros(count, np.uint32)
        self.codes: npt.NDArray[np.int32] = np.zeros(count, np.int32)

    def put_rows(self, rows: Rows) -> None:
        """Put an answer in.

        Raises:
            OverflowError, ValueError, TypeError: a value does not fit its field.
        """
        indexes, codes, generations, void_times = rows.empty
        self.codes[indexes] = codes
        self._put_heads(indexes, generations, void_times)
        for group in rows.groups:
            self.codes[group.indexes] = 0
            self._put_heads(group.indexes, group.generations, group.void_times)
            for field in self._fields:
                column = group.columns.get(field.name)
                if column is not None:
                    self._put_column(field, column, rows.data, group.indexes)

    def put_results(self, results: Iterable[tuple[int, BatchResult]]) -> None:
        """Put in results as a batch returns them, each with its index."""
        served: list[int] = []
        records: list[Record] = []
        for index, result in results:
            record = result.record
            if record is None or result.result_code:
                self.codes[index] = result.result_code
            else:
                served.append(index)
                records.append(record)
        indexes = np.array(served, np.int64)
        self.codes[indexes] = 0
        self._put_heads(
            indexes,
            np.array([record.generation for record in records], np.uint32),
            np.array([record.void_time for record in records], np.uint32),
        )
        for field in self._fields:
            name = field.name
            places, values = field.of_values([record.bins.get(name) for record in records], self._teller(indexes))
            self.data[name][indexes[places]] = values

    def _put_heads(self, indexes: Positions, generations: AnyArray, void_times: AnyArray) -> None:
        self.generations[indexes] = generations
        self.void_times[indexes] = void_times

    def _put_column(self, field: Field, column: Column, data: bytes, indexes: Positions) -> None:
        tell = self._teller(indexes)
        particle = column.particle
        fixed = isinstance(column.sizes, int) and (particle, column.sizes) in FIXED
        if particle == PARTICLE_NULL:
            return
        if fixed and particle == PARTICLE_INTEGER:
            values = field.of_integers(take(data, column.positions, ">i8").astype(np.int64), tell)
        elif fixed and particle == PARTICLE_FLOAT:
            values = field.of_floats(take(data, column.positions, ">f8").astype(np.float64), tell)
        elif fixed and particle == PARTICLE_BOOL:
            values = field.of_integers((gather(data, column.positions, 1)[:, 0] != 0).astype(np.int64), tell)
        elif particle == PARTICLE_BLOB or (particle == PARTICLE_STRING and field.takes_text()):
            values = field.of_bytes(gather(data, column.positions, field.dtype.itemsize), column.sizes, tell)
        else:
            self._put_one_by_one(field, column, data, indexes)
            return
        self.data[field.name][indexes] = values

    def _put_one_by_one(self, field: Field, column: Column, data: bytes, indexes: Positions) -> None:
        tell = self._teller(indexes)
        sizes = np.broadcast_to(np.asarray(column.sizes), len(indexes)).tolist()
        decoded: list[Any] = []
        for place, (position, size) in enumerate(zip(column.positions.tolist(), sizes, strict=True)):
            try:
                decoded.append(decode_value(column.particle, data[position : position + size]))
            except ProtocolError as error:
                raise ValueError(
                    f"dtype field {field.name!r}, bin of {tell(place)}: {error.message}; {ADVICE}"
                ) from error
        places, values = field.of_values(decoded, tell)
        self.data[field.name][indexes[places]] = values

    def _teller(self, indexes: Positions) -> Teller:
        return lambda place: f"{self._keys[int(indexes[place])]!r} (row {int(indexes[place])})"
