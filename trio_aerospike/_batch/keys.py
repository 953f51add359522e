"""The keys of a batch in columns: tuples are hashed without making a Key of each."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, SupportsIndex, overload

from .._wire.digests import KeyHasher
from ..keys import Key, KeyLike, UserKey, as_key, known_key
from ..validation import refused

_END: Final = object()


class KeyColumns(Sequence[Key]):
    """The keys of a batch: digests and user keys at once, and a Key where one is asked for.

    Attributes:
        digests: of all keys, in order.
        user_keys: of all keys, in order; None where only the digest is known.
        uniform: whether all are of one namespace and set.
    """

    __slots__ = ("_convert", "_namespace", "_others", "_set_name", "digests", "uniform", "user_keys")

    def __init__(self, keys: Iterable[KeyLike], convert: Callable[[Any], Key] = as_key) -> None:
        """Take keys.

        Args:
            keys: the keys.
            convert: makes a Key of any other value, for clients that hash bytes otherwise (Key.with_text_digest).
                Ints and strs must become what ``as_key`` makes of them.

        Raises:
            InvalidArgError: one of them is not a key.
        """
        self._convert = convert
        self.digests: list[bytes] = []
        self.user_keys: list[UserKey | None] = []
        self.uniform: bool = True
        #: By their places, those that were Keys or are of another namespace or set.
        self._others: dict[int, Key] = {}
        self._namespace = ""
        self._set_name = ""
        self._take(iter(keys))

    def _take(self, keys: Iterator[Any]) -> None:
        digests, user_keys = self.digests, self.user_keys
        plain: Any = next(keys, _END)
        while plain is not _END:
            key = self._convert(plain)
            if not digests:
                self._namespace, self._set_name = key.namespace, key.set_name
            at_home = key.namespace == self._namespace and key.set_name == self._set_name
            self.uniform = self.uniform and at_home
            if not at_home or type(plain) is not tuple:
                self._others[len(digests)] = key
            digests.append(key.digest)
            user_keys.append(key.user_key)
            if at_home and type(plain) is tuple:
                plain = self._take_alike(keys, *plain[:2])
            else:
                plain = next(keys, _END)

    def _take_alike(self, keys: Iterator[Any], namespace: object, set_name: object) -> Any:
        """Take keys for as long as they are tuples like the one before, down to the very strings, as most are.

        Returns:
            The first that is not, which has not been taken.
        """
        digest = KeyHasher(self._set_name).digest
        add_digest, add_user_key = self.digests.append, self.user_keys.append
        for plain in keys:
            if type(plain) is not tuple:
                return plain
            try:
                place, group, user_key = plain
                if place is not namespace or group is not set_name:
                    return plain
                add_digest(digest(user_key))
            except (struct.error, ValueError, TypeError):
                return plain  # another number of parts, or a key that cannot be: as_key says what is wrong with it
            add_user_key(user_key)
        return _END

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
        InvalidArgError: a key is invalid; ``what`` is the call, for messages.
    """
    if isinstance(keys, (str, bytes, Key)) or not isinstance(keys, Iterable):
        raise refused(f"{what}.keys", keys, "a list of keys")
    return keys if type(keys) is KeyColumns else KeyColumns(keys)
