"""Keys: namespace, set, user key and digest of a record."""

from __future__ import annotations

import operator
import struct
from collections.abc import Sequence
from typing import Any, TypeAlias

import attrs

from trio_aerospike._wire.constants import DIGEST_SIZE, NAMESPACE_MAX, SET_NAME_MAX
from trio_aerospike._wire.digests import KeyHasher, compute_digest
from trio_aerospike.errors import InvalidArgError
from trio_aerospike.validation import checked_text, refused, shown

__all__ = ["Key", "KeyLike", "UserKey", "as_key"]

UserKey: TypeAlias = int | str | bytes
"""A user key: a 64-bit integer, text, or bytes."""

_USER_KEY_ALLOWED = "an int of 64 bits, a str or bytes"
_USER_KEY_TYPES = frozenset((int, str, bytes))

# Pairs of namespace and set that were validated before, and what computes the digests of their keys: a program has few,
# and every key needs one. The bound is for a program that creates sets without end.
_places: dict[tuple[str, str | None], KeyHasher] = {}
_PLACES_KEPT = 4096


@attrs.frozen(init=False, eq=False, repr=False)
class Key:
    """The key of a record: namespace, set and user key.

    The server identifies a record by the digest of set and user key, which is computed here, once. Two keys are equal
    if their namespace and digest are.

    Args:
        namespace: 1 to 31 bytes in UTF-8.
        set_name: Up to 63 bytes; ``""`` or None for no set.
        user_key: An int of 64 bits, a str or bytes. ``1``, ``"1"`` and ``b"1"`` are three keys. Bytes are hashed as a
            blob, as the official Java, Go and Rust clients do; :meth:`with_text_digest` hashes them as text, as
            aerospike-py and the official Python client do.

    Raises:
        InvalidArgError: One of them is invalid.
    """

    namespace: str
    set_name: str
    """The set; ``""`` for no set."""
    user_key: UserKey | None
    """The user key; None if only the digest is known."""
    digest: bytes
    """20 bytes: RIPEMD-160 of set, type and user key."""

    def __init__(self, namespace: str, set_name: str | None, user_key: UserKey) -> None:
        # Every command makes a key: validated names are looked up, and the slots are set directly.
        try:
            hasher = _places.get((namespace, set_name))
        except TypeError:
            hasher = None
        if hasher is None:
            hasher = _check_place(namespace, set_name)
        try:
            if type(user_key) is int or type(user_key) is str:
                digest = hasher.digest(user_key)
            else:
                if type(user_key) is not bytes:
                    user_key = _plain_user_key(user_key)
                digest = compute_digest(set_name, user_key)
        except (struct.error, UnicodeEncodeError, InvalidArgError):
            raise refused("Key.user_key", user_key, _USER_KEY_ALLOWED) from None
        _set_namespace(self, namespace)
        _set_set_name(self, set_name or "")
        _set_user_key(self, user_key)
        _set_digest(self, digest)

    @classmethod
    def from_digest(cls, namespace: str, set_name: str | None, digest: bytes) -> Key:
        """Create a key from a digest, without a user key.

        Raises:
            InvalidArgError: The digest is not 20 bytes, or namespace or set is invalid.
        """
        return _with_digest(namespace, set_name, None, digest)

    @classmethod
    def with_text_digest(cls, namespace: str, set_name: str | None, user_key: UserKey) -> Key:
        """Return the key of a record that aerospike-py or the official Python client wrote under bytes.

        These clients hash bytes as text: ``b"ann"`` and ``"ann"`` are one record to them. (The official Python client
        hashes a ``bytearray`` as a blob, and bytes up to their first NUL only.) The user key stays bytes, and is sent
        as a blob where a policy has ``send_key``, as aerospike-py sends it. Other user keys are hashed as by ``Key``.

        Args:
            namespace: As for ``Key``.
            set_name: As for ``Key``.
            user_key: As for ``Key``.

        Raises:
            InvalidArgError: One of them is not allowed in a key.
        """
        if isinstance(user_key, (bytes, bytearray, memoryview)):
            text = bytes(user_key)
            return _with_digest(namespace, set_name, text, _check_place(namespace, set_name).digest_of_text(text))
        return cls(namespace, set_name, user_key)

    @classmethod
    def variants(cls, namespace: str, set_name: str | None, user_key: UserKey) -> tuple[Key, ...]:
        """Return every key under which some client may have written a record with this user key.

        ``client.find_key`` returns the one that exists.

        Args:
            namespace: As for ``Key``.
            set_name: As for ``Key``.
            user_key: As for ``Key``.

        Returns:
            One key for an int or a str. Two for bytes: hashed as a blob, then hashed as text.

        Raises:
            InvalidArgError: One of them is not allowed in a key.
        """
        key = cls(namespace, set_name, user_key)
        return (key, cls.with_text_digest(namespace, set_name, user_key)) if type(key.user_key) is bytes else (key,)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Key):
            return NotImplemented
        return self.digest == other.digest and self.namespace == other.namespace

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        # Most error messages contain a key, so a long user key is shortened; ``user_key`` has all of it.
        if self.user_key is None:
            return f"Key.from_digest({self.namespace!r}, {self.set_name!r}, {self.digest!r})"
        parts = f"({self.namespace!r}, {self.set_name!r}, {shown(self.user_key)})"
        if type(self.user_key) is bytes and self.digest != compute_digest(self.set_name, self.user_key):
            return f"Key.with_text_digest{parts}"
        return f"Key{parts}"


# A frozen class refuses plain assignment; the descriptors of its slots are the fastest way around that.
_set_namespace = Key.__dict__["namespace"].__set__
_set_set_name = Key.__dict__["set_name"].__set__
_set_user_key = Key.__dict__["user_key"].__set__
_set_digest = Key.__dict__["digest"].__set__

_place = operator.attrgetter("namespace", "set_name")

KeyLike: TypeAlias = Key | tuple[str, str | None, UserKey] | tuple[str, str | None, UserKey | None, bytes | None]
"""A Key, or a tuple of namespace, set and user key; a fourth element is the digest, as in aerospike_py's keys."""


def _check_place(namespace: object, set_name: object) -> KeyHasher:
    """Validate namespace and set; return what computes the digests of their keys."""
    name = checked_text("Key.namespace", namespace, 1, NAMESPACE_MAX)
    if set_name is not None:
        set_name = checked_text("Key.set_name", set_name, 0, SET_NAME_MAX)
    hasher = KeyHasher(set_name)
    if len(_places) < _PLACES_KEPT:
        _places[name, set_name] = hasher
    return hasher


def _plain_user_key(user_key: object) -> UserKey:
    """Convert a user key of another type to a plain one: subclasses, buffers, NumPy integers."""
    if isinstance(user_key, (bytes, bytearray, memoryview)):
        return bytes(user_key)
    if isinstance(user_key, str):
        return str.__str__(user_key)
    if not isinstance(user_key, bool) and type(user_key).__name__ not in ("bool", "bool_"):
        try:
            return operator.index(user_key)  # type: ignore[arg-type]
        except TypeError:
            pass
    raise refused("Key.user_key", user_key, _USER_KEY_ALLOWED)


def _with_digest(namespace: str, set_name: str | None, user_key: UserKey | None, digest: object) -> Key:
    if not isinstance(digest, (bytes, bytearray)) or len(digest) != DIGEST_SIZE:
        raise refused("Key.digest", digest, f"{DIGEST_SIZE} bytes")
    _check_place(namespace, set_name)
    if user_key is not None and type(user_key) not in _USER_KEY_TYPES:
        user_key = _plain_user_key(user_key)
    key = Key.__new__(Key)
    _set_namespace(key, namespace)
    _set_set_name(key, set_name or "")
    _set_user_key(key, user_key)
    _set_digest(key, bytes(digest))
    return key


def known_key(namespace: str, set_name: str, user_key: UserKey | None, digest: bytes) -> Key:
    """Create a key from what a server sent, without validation or hashing.

    Args:
        namespace, set_name: of the record.
        user_key: the user key, if the server has stored it.
        digest: the digest of 20 bytes.
    """
    key = Key.__new__(Key)
    _set_namespace(key, namespace)
    _set_set_name(key, set_name)
    _set_user_key(key, user_key)
    _set_digest(key, digest)
    return key


def of_one_place(keys: Sequence[Key]) -> bool:
    """Whether all keys share one namespace and set."""
    if not keys:
        return True
    namespace, set_name = keys[0].namespace, keys[0].set_name
    for key in keys:
        # In most batches they are the same objects.
        if key.set_name is not set_name or key.namespace is not namespace:
            return len(set(map(_place, keys))) == 1
    return True


def as_key(key: KeyLike) -> Key:
    """Convert a Key or a tuple to a Key.

    Args:
        key: A Key (returned as it is); a tuple of namespace, set and user key; or such a tuple with a digest as its
            fourth element, which is used as it is: then the user key may be None.

    Raises:
        InvalidArgError: ``key`` is neither, or a part of it is invalid.
    """
    if type(key) is Key:
        return key
    if isinstance(key, tuple):
        if len(key) == 3:
            return Key(*key)
        if len(key) == 4:
            namespace, set_name, user_key, digest = key
            if digest is not None:
                return _with_digest(namespace, set_name, user_key, digest)
            return Key(namespace, set_name, user_key)  # type: ignore[arg-type]
    elif isinstance(key, Key):
        return key
    raise _no_key(key)


def _no_key(key: Any) -> InvalidArgError:
    return refused("key", key, "a Key, or a tuple (namespace, set, user key)")
