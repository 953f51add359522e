"""The keys of a batch by columns: who asks for a thousand records by tuples need not have a Key made of each."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Any, SupportsIndex, overload

from ._wire.digests import pack_int_key, set_state
from .keys import Key, KeyLike, UserKey, as_key, known_key
from .validation import refused


class KeyColumns(Sequence[Key]):
    """The keys of a batch: digests and user keys at once, and a Key where one is asked for.

    Attributes:
        digests: of all keys, in order.
        user_keys: of all keys, in order; None where only the digest is known.
        uniform: whether all are of one namespace and set.
    """

    __slots__ = ("_namespace", "_others", "_set_name", "digests", "uniform", "user_keys")

    def __init__(self, keys: Iterable[KeyLike]) -> None:
        """Take keys.

        Raises:
            InvalidArgError: one of them is none.
        """
        self.digests: list[bytes] = []
        self.user_keys: list[UserKey | None] = []
        self.uniform: bool = True
        #: By their places, those that were Keys or are of another namespace or set.
        self._others: dict[int, Key] = {}
        self._namespace = ""
        self._set_name = ""
        self._take(keys)

    def _take(self, keys: Iterable[KeyLike]) -> None:
        digests, user_keys = self.digests, self.user_keys
        namespace: Any = None
        set_name: Any = None
        begin: Any = None
        pack = pack_int_key
        plain: Any
        for plain in keys:
            # Most are like the one before them, down to the very strings: those are hashed right here.
            if type(plain) is tuple and len(plain) == 3 and plain[0] is namespace and plain[1] is set_name:
                user_key = plain[2]
                try:
                    if type(user_key) is int:
                        data = pack(1, user_key)
                    elif type(user_key) is str:
                        data = b"\x03" + user_key.encode()
                    else:
                        data = b""
                except (struct.error, UnicodeEncodeError):
                    data = b""  # what is wrong with it is said below
                if data:
                    state = begin()
                    state.update(data)
                    digests.append(state.digest())
                    user_keys.append(user_key)
                    continue
            key = as_key(plain)
            if not digests:
                self._namespace, self._set_name = key.namespace, key.set_name
            if key.namespace != self._namespace or key.set_name != self._set_name:
                self.uniform = False
                self._others[len(digests)] = key
            elif type(plain) is tuple:
                namespace, set_name = plain[:2]
                if begin is None:
                    begin = set_state(set_name).copy
            else:
                self._others[len(digests)] = key
            digests.append(key.digest)
            user_keys.append(key.user_key)

    def __len__(self) -> int:
        return len(self.digests)

    @overload
    def __getitem__(self, place: SupportsIndex) -> Key: ...

    @overload
    def __getitem__(self, place: slice) -> list[Key]: ...

    def __getitem__(self, place: SupportsIndex | slice) -> Key | list[Key]:
        if isinstance(place, slice):
            return [self[index] for index in range(*place.indices(len(self.digests)))]
        index = range(len(self.digests))[place]
        other = self._others.get(index)
        if other is not None:
            return other
        return known_key(self._namespace, self._set_name, self.user_keys[index], self.digests[index])

    def __repr__(self) -> str:
        return f"<KeyColumns: {len(self)} keys>"


def key_columns(keys: Iterable[KeyLike], what: str) -> KeyColumns:
    """The keys of a batch.

    Raises:
        InvalidArgError: one is none; ``what`` is the call, for messages.
    """
    if isinstance(keys, (str, bytes, Key)) or not isinstance(keys, Iterable):
        raise refused(f"{what}.keys", keys, "a list of keys")
    return keys if type(keys) is KeyColumns else KeyColumns(keys)
