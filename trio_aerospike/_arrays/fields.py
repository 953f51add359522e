"""The fields of a structured dtype, and how values of the database fit into them.

A field is made for one kind of value: integers and booleans for integer and floating fields, doubles likewise, strings
and blobs for fields of bytes, blobs and lists for sub-arrays, which hold vectors. What does not fit is refused, and
never wrapped around; only bytes are cut to the width of their field, and filled up with zeros, as NumPy does it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, NoReturn, TypeAlias

import attrs
import numpy as np
import numpy.typing as npt

AnyArray: TypeAlias = npt.NDArray[Any]
#: Names the record of the value at a place of a column, for messages.
Teller: TypeAlias = Callable[[int], str]

_KINDS = "iufSV"
ALLOWED = "int, uint and float of any width, bytes of a fixed width (S, V), or a sub-array of these"


@attrs.frozen(eq=False)
class Field:
    """A field of a structured dtype.

    Args:
        name: of the field and of the bin.
        dtype: of the whole field.
    """

    name: str
    dtype: np.dtype[Any]
    base: np.dtype[Any] = attrs.field(init=False)
    shape: tuple[int, ...] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "base", self.dtype.base)
        object.__setattr__(self, "shape", self.dtype.shape)

    @property
    def is_numeric(self) -> bool:
        """Whether it holds numbers, one or a sub-array of them."""
        return self.base.kind in "iuf"

    # -- whole columns -----------------------------------------------------------------------------------------------

    def of_integers(self, values: AnyArray, tell: Teller) -> AnyArray:
        """Integers (int64) as what the field holds.

        Raises:
            OverflowError, ValueError: one does not fit; ValueError where it is negative and the field is unsigned.
            TypeError: the field holds no single number.
        """
        self._scalar(values, "an integer", tell)
        return self._integers(values, tell)

    def of_floats(self, values: AnyArray, tell: Teller) -> AnyArray:
        """Doubles as what the field holds; an integer field gets what stands before the point.

        Raises:
            OverflowError, ValueError: one does not fit.
            TypeError: the field holds no single number.
        """
        self._scalar(values, "a float", tell)
        return self._floats(values, tell)

    def of_bytes(self, values: AnyArray, sizes: AnyArray | int, tell: Teller) -> AnyArray:
        """Bytes as what the field holds: cut at its width, filled up with zeros.

        Args:
            values: a row of bytes for each, as wide as the field.
            sizes: how many of each row count.
            tell: for messages.

        Raises:
            TypeError: the field is a single number.
        """
        if self.is_numeric and not self.shape:
            self.refuse("bytes", tell(0))
        width = self.dtype.itemsize
        short = sizes < width
        if np.any(short):
            values = values * (np.arange(width) < np.reshape(sizes, (-1, 1)))
        return np.ascontiguousarray(values, np.uint8).view(self.base).reshape((len(values), *self.shape))

    def takes_text(self) -> bool:
        """Whether a string may stand in the field: it is one of bytes."""
        return not self.is_numeric

    # -- Python's values ---------------------------------------------------------------------------------------------

    def of_values(self, values: Sequence[Any], tell: Teller) -> tuple[AnyArray, AnyArray]:
        """Values of any kinds as what the field holds.

        Args:
            values: None stands for no value.
            tell: for messages.

        Returns:
            The places of the values that are not None, and what the field holds there.

        Raises:
            OverflowError, ValueError, TypeError: one does not fit.
        """
        kinds = set(map(type, values))
        if len(kinds) == 1 and type(None) not in kinds:
            return np.arange(len(values)), self._of_kind(kinds.pop(), list(values), tell)
        by_kind: dict[type, list[int]] = {}
        for place, value in enumerate(values):
            if value is not None:
                by_kind.setdefault(type(value), []).append(place)
        places: list[int] = []
        parts: list[AnyArray] = []
        for kind, of_kind in by_kind.items():
            places += of_kind
            chosen = [values[place] for place in of_kind]
            parts.append(self._of_kind(kind, chosen, lambda place, whose=of_kind: tell(whose[place])))  # type: ignore[misc]
        if not parts:
            return np.zeros(0, np.int64), np.zeros((0, *self.shape), self.base)
        return np.array(places, np.int64), parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _of_kind(self, kind: type, values: list[Any], tell: Teller) -> AnyArray:
        if issubclass(kind, int):
            if kind is bool:
                self._scalar(values, "a bool", tell)
            return self.of_integers(self._int64(values, tell), tell)
        if issubclass(kind, float):
            return self.of_floats(np.array(values, np.float64), tell)
        if issubclass(kind, str):
            if not self.takes_text():
                self.refuse("a string", tell(0))
            return self._of_byte_strings([value.encode() for value in values], tell)
        if issubclass(kind, (bytes, bytearray)):
            return self._of_byte_strings(values, tell)
        if issubclass(kind, (list, tuple)):
            return self.of_lists(values, tell)
        self.refuse(f"a {kind.__name__}", tell(0))

    def _of_byte_strings(self, values: list[bytes], tell: Teller) -> AnyArray:
        width = self.dtype.itemsize
        joined = b"".join([value[:width].ljust(width, b"\0") for value in values])
        return self.of_bytes(np.frombuffer(joined, np.uint8).reshape(len(values), width), width, tell)

    def of_lists(self, values: Sequence[Sequence[Any]], tell: Teller) -> AnyArray:
        """Lists as sub-arrays: nested as the sub-array is, or flat.

        Raises:
            ValueError: one has another length.
            OverflowError, TypeError: an element does not fit.
        """
        if not self.shape or not self.is_numeric:
            self.refuse("a list", tell(0))
        size = int(np.prod(self.shape))
        flat: list[Any] = []
        for place, value in enumerate(values):
            elements = list(value)
            for dimension in self.shape[1:]:
                if elements and all(isinstance(element, (list, tuple)) for element in elements):
                    if any(len(element) != dimension for element in elements):
                        self._wrong_length(value, tell(place))
                    elements = list(chain.from_iterable(elements))
            if len(elements) != size:
                self._wrong_length(value, tell(place))
            flat += elements

        def tell_list(place: int) -> str:
            return tell(place // size)

        kinds = set(map(type, flat))
        if kinds <= {int}:
            numbers = self._integers(self._int64(flat, tell_list), tell_list)
        elif kinds <= {int, float}:
            numbers = self._floats(np.array(flat, np.float64), tell_list)
        else:
            place, wrong = next((n, one) for n, one in enumerate(flat) if type(one) not in (int, float))
            self.refuse(f"a list with {wrong!r:.40}", tell_list(place))
        return numbers.reshape((len(values), *self.shape))

    # -- one by one --------------------------------------------------------------------------------------------------

    def _integers(self, values: AnyArray, tell: Teller) -> AnyArray:
        kind = self.base.kind
        if kind == "f":
            return self._narrowed(values.astype(np.float64) if self.base.itemsize < 8 else values, tell)
        bounds = np.iinfo(self.base)
        if kind == "u":
            negative = values < 0
            if negative.any():
                place = int(np.argmax(negative))
                raise ValueError(f"{self._of(tell(place))}: got {values[place]}, allowed: an int of 0 or more")
        if self.base.itemsize < 8:
            wrong = (values < bounds.min) | (values > bounds.max)
            if wrong.any():
                place = int(np.argmax(wrong))
                raise OverflowError(
                    f"{self._of(tell(place))}: got {values[place]}, allowed: {bounds.min} to {bounds.max}"
                )
        return values.astype(self.base)

    def _floats(self, values: AnyArray, tell: Teller) -> AnyArray:
        if self.base.kind == "f":
            return self._narrowed(values, tell)
        bounds = np.iinfo(self.base)
        # The upper bound of 64 bits is no double: the next double is the first that does not fit.
        fits = (values > float(bounds.min) - 1) | (values == float(bounds.min))
        fits &= values < float(bounds.max) + (0 if self.base.itemsize == 8 else 1)
        if not fits.all():
            place = int(np.argmin(fits))
            raise ValueError(f"{self._of(tell(place))}: got {values[place]}, allowed: {bounds.min} to {bounds.max}")
        return values.astype(self.base)

    def _narrowed(self, values: AnyArray, tell: Teller) -> AnyArray:
        if self.base.itemsize >= 8:
            return values.astype(self.base)
        with np.errstate(over="ignore"):
            narrow = values.astype(self.base)
        lost = np.isinf(narrow)
        if lost.any():
            lost &= np.isfinite(values)
            if lost.any():
                place = int(np.argmax(lost))
                most = np.finfo(self.base).max
                raise OverflowError(f"{self._of(tell(place))}: got {values[place]}, allowed: up to {most} either way")
        return narrow

    def _int64(self, values: list[Any], tell: Teller) -> AnyArray:
        try:
            return np.array(values, np.int64)
        except OverflowError:
            place = next(n for n, value in enumerate(values) if not -(2**63) <= value < 2**63)
            raise OverflowError(f"{self._of(tell(place))}: got {values[place]}, allowed: an int of 64 bits") from None

    def _scalar(self, values: Sequence[Any] | AnyArray, what: str, tell: Teller) -> None:
        if self.shape or not self.is_numeric:
            self.refuse(what, tell(0))

    def refuse(self, what: str, whose: str) -> NoReturn:
        """Raise TypeError: such a value can never stand in this field."""
        if self.shape:
            allowed = f"a blob{' or a list of numbers' if self.is_numeric else ''}, as the field is a sub-array"
        else:
            allowed = "a number" if self.is_numeric else "a string or a blob"
        raise TypeError(f"{self._of(whose)}: got {what}, allowed: {allowed}")

    def _wrong_length(self, value: Any, whose: str) -> NoReturn:
        raise ValueError(
            f"{self._of(whose)}: got a list of length {len(value)}, allowed: as many numbers as {self.dtype}"
        )

    def _of(self, whose: str) -> str:
        return f"dtype field {self.name!r} ({self.dtype}), bin of {whose}"


def fields_of(dtype: object, where: str) -> list[Field]:
    """The fields of a structured dtype.

    Args:
        dtype: a ``numpy.dtype`` with names.
        where: the call, for messages.

    Raises:
        TypeError: it is no structured dtype, or a field is of a kind that holds nothing of the database's.
        ValueError: a field has another byte order than the machine.
    """
    if not isinstance(dtype, np.dtype) or dtype.names is None or dtype.fields is None:
        raise TypeError(f"{where}: got {dtype!r}, allowed: a structured numpy.dtype, as np.dtype([('age', 'i4')])")
    found = []
    for name in dtype.names:
        field = Field(name, dtype.fields[name][0])
        if field.base.kind not in _KINDS:
            raise TypeError(
                f"{where}: dtype field {name!r} must be numeric (int/float) or fixed-length bytes, got {field.dtype} "
                f"(kind={field.base.kind!r}), allowed: {ALLOWED}"
            )
        if not field.base.isnative:
            raise ValueError(
                f"{where}: dtype field {name!r}: got the byte order {field.base.byteorder!r}, allowed: the machine's "
                f"own, {field.base.newbyteorder('=').str!r}, into which astype converts an array"
            )
        found.append(field)
    return found
