"""Convert records to lines of JSON and back, without loss.

JSON has text keys only and no bytes; values that it lacks are objects with one key that begins with a dollar:

    {"$bytes": "AAE="}                  bytes, in base64
    {"$blob": [9, "AAE="]}              bytes of another particle type
    {"$hll": "AAE="}                    a HyperLogLog sketch
    {"$geojson": {"type": ...}}         GeoJSON; as text if Python's json would write it differently
    {"$float": "nan"}                   nan, inf and -inf
    {"$float": "0x7ff8000000000001"}    a nan of other bits, in hexadecimal
    {"$map": [[key, value], ...]}       a map with keys other than text, or with a single key that begins with a dollar
    {"$map": [...], "order": 1}         a map that the server keeps ordered
    {"$list": [...], "order": 1}        a list that the server keeps sorted

Input is standard JSON: NaN and Infinity are invalid, the keys of an object are unique, and a number that the database
cannot hold is refused, not rounded.
"""

from __future__ import annotations

import base64
import json
import math
import struct
from collections.abc import Callable
from typing import Any

from .._wire.value_types import GeoJSON, HyperLogLog, OrderedList, OrderedMap, TypedBlob
from ..errors import InvalidArgError
from ..keys import Key, as_key
from ..records import Record
from ..validation import refused, shown

_NAN = struct.pack(">d", math.nan)
_FIELDS = ("namespace", "set", "key", "digest", "generation", "ttl", "bins")
_TOO_DEEP = "nested too deeply: the database takes 64 levels"


class NotJSON(InvalidArgError):
    """A text that is not JSON."""


def read_json(text: str) -> Any:
    """Parse a JSON document strictly by the standard.

    Raises:
        NotJSON: it is not JSON.
        InvalidArgError: it is JSON, but nested too deeply, or has a duplicate key or a number that is too large.
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_object)
    except InvalidArgError:
        raise
    except json.JSONDecodeError as error:
        raise NotJSON(f"not JSON: {error}") from None
    except RecursionError:
        raise InvalidArgError(_TOO_DEEP) from None
    except ValueError:
        # Python refuses to parse integers of more than a few thousand digits.
        raise InvalidArgError("a number of thousands of digits: integers have 64 bits") from None


def _refuse_constant(name: str) -> Any:
    value = {"NaN": "nan", "Infinity": "inf", "-Infinity": "-inf"}[name]
    raise NotJSON(f'not JSON: {name} is not a JSON number; as a float it is {{"$float": "{value}"}}')


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise InvalidArgError(f"the key {shown(name)} occurs twice in an object")
            seen.add(name)
    return document


def write_json(document: Any) -> str:
    """Serialize a document as one line of JSON."""
    return json.dumps(document, ensure_ascii=False, allow_nan=False)


def to_json(value: Any) -> Any:
    """Convert the value of a bin to what ``json`` can write."""
    if value is None or isinstance(value, (bool, str, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"$float": _float_text(value)}
    if isinstance(value, HyperLogLog):
        return {"$hll": _base64(value)}
    if isinstance(value, (bytes, bytearray)):
        return {"$bytes": _base64(value)}
    if isinstance(value, TypedBlob):
        return {"$blob": [value.type, _base64(value.data)]}
    if isinstance(value, GeoJSON):
        return {"$geojson": _geojson(value.text)}
    if isinstance(value, dict):
        return _map_to_json(value)
    if isinstance(value, (list, tuple)):
        items = [to_json(item) for item in value]
        order = value.order if isinstance(value, OrderedList) else 0
        return {"$list": items, "order": order} if order else items
    raise InvalidArgError(f"{shown(value)} is not a value of the database")


def _map_to_json(value: dict[Any, Any]) -> Any:
    order = value.order if isinstance(value, OrderedMap) else 0
    plain = all(isinstance(key, str) and not key.startswith("$") for key in value)
    if plain and not order:
        return {key: to_json(item) for key, item in value.items()}
    pairs = [[to_json(key), to_json(item)] for key, item in value.items()]
    return {"$map": pairs, "order": order} if order else {"$map": pairs}


def _float_text(value: float) -> str:
    bits = struct.pack(">d", value)
    return f"0x{bits.hex()}" if math.isnan(value) and bits != _NAN else repr(value)


def _geojson(text: str) -> Any:
    try:
        document = read_json(text)
        same = isinstance(document, dict) and json.dumps(document, allow_nan=False) == text
    except (InvalidArgError, ValueError, RecursionError):
        return text
    return document if same else text


def from_json(value: Any) -> Any:
    """Convert JSON back into the value of a bin: the inverse of ``to_json``.

    Raises:
        InvalidArgError: an object with a dollar is invalid, or a number is too large, or it is nested too deeply.
    """
    try:
        return _from_json(value)
    except RecursionError:
        raise InvalidArgError(_TOO_DEEP) from None


def _from_json(value: Any) -> Any:
    if isinstance(value, list):
        return [_from_json(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidArgError("a number that no float can hold: at most about 1.8e308")
    if not isinstance(value, dict):
        return value
    special = [key for key in value if key.startswith("$")]
    if not special:
        return {key: _from_json(item) for key, item in value.items()}
    reader = _READERS.get(special[0])
    known = {special[0], "order"} if special[0] in ("$map", "$list") else {special[0]}
    if reader is None or not set(value) <= known:
        raise InvalidArgError(f"{shown(value)}: an object with a dollar is one of {', '.join(_READERS)}")
    order = value.get("order", 0)
    if type(order) is not int or not 0 <= order <= 255:
        raise refused(f"the order of a {special[0]}", order, "a number from 0 to 255")
    return reader(value[special[0]], order)


def _read_map(pairs: Any, order: int) -> dict[Any, Any]:
    if not isinstance(pairs, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
        raise refused("$map", pairs, "a list of pairs [key, value]")
    items: dict[Any, Any] = {}
    for key, item in pairs:
        name = _from_json(key)
        if isinstance(name, (list, dict)):
            raise refused("a key of a $map", name, "neither a list nor a map")
        if name in items:
            raise InvalidArgError(f"the key {shown(name)} occurs twice in a $map")
        items[name] = _from_json(item)
    return OrderedMap(items, order) if order else items


def _read_list(items: Any, order: int) -> list[Any]:
    if not isinstance(items, list):
        raise refused("$list", items, "a list")
    values = [_from_json(item) for item in items]
    return OrderedList(values, order) if order else values


def _read_blob(pair: Any, _: int) -> TypedBlob:
    if not isinstance(pair, list) or len(pair) != 2 or type(pair[0]) is not int:
        raise refused("$blob", pair, "a particle type and bytes in base64")
    return TypedBlob(pair[0], _unbase64(pair[1]))


def _read_float(text: Any, _: int) -> float:
    if isinstance(text, str):
        try:
            if text.startswith("0x"):
                return float(struct.unpack(">d", bytes.fromhex(text[2:]))[0])
            return float(text)
        except (ValueError, struct.error):
            pass
    raise refused("$float", text, 'a text such as "nan", "inf" or "-inf", or "0x" and 16 hexadecimal digits')


def _read_geojson(document: Any, _: int) -> GeoJSON:
    if isinstance(document, str):
        return GeoJSON(document)
    if isinstance(document, dict):
        try:
            return GeoJSON(json.dumps(document, allow_nan=False))
        except ValueError:  # for a number that no float can hold
            pass
    raise refused("$geojson", document, "an object or its text")


_READERS: dict[str, Callable[[Any, int], Any]] = {
    "$bytes": lambda text, _: _unbase64(text),
    "$blob": _read_blob,
    "$hll": lambda text, _: HyperLogLog(_unbase64(text)),
    "$geojson": _read_geojson,
    "$float": _read_float,
    "$map": _read_map,
    "$list": _read_list,
}


def _base64(data: bytes | bytearray) -> str:
    return base64.b64encode(data).decode()


def _unbase64(text: Any) -> bytes:
    if isinstance(text, str):
        try:
            return base64.b64decode(text, validate=True)
        except ValueError:
            pass
    raise refused("bytes", text, 'base64, as in {"$bytes": "AAE="}')


def record_to_json(record: Record) -> dict[str, Any]:
    """Convert a record to an object: key, generation, seconds to live (null: never expires) and bins.

    The digest is included if no user key is stored, or if the stored one has another digest: other clients may have
    hashed it as another type.
    """
    key = record.key
    document: dict[str, Any] = {"namespace": key.namespace, "set": key.set_name}
    if key.user_key is not None:
        document["key"] = to_json(key.user_key)
    if key.user_key is None or Key(key.namespace, key.set_name, key.user_key).digest != key.digest:
        document["digest"] = key.digest.hex()
    document |= {"generation": record.generation, "ttl": record.ttl}
    document["bins"] = {name: to_json(value) for name, value in record.bins.items()}
    return document


def record_from_json(line: str, namespace: str | None, set_name: str | None) -> tuple[Key, dict[str, Any], int | None]:
    """Parse a line of :func:`record_to_json` into a record to write.

    Args:
        line: the line.
        namespace, set_name: override those of the line, which may then be missing.

    Returns:
        Key, bins and seconds to live (None: never expires).

    Raises:
        InvalidArgError: the line is not JSON, or not a record.
    """
    document = read_json(line)
    if not isinstance(document, dict):
        raise InvalidArgError(f"a record is an object, this is {shown(document)}")
    unknown = set(document) - set(_FIELDS)
    if unknown:
        raise InvalidArgError(f"unknown field {shown(min(unknown))}, allowed: {', '.join(_FIELDS)}")
    key = _key_of(document, namespace, set_name)
    bins = document.get("bins")
    if not isinstance(bins, dict) or not bins:
        raise InvalidArgError(f"bins: got {shown(bins)}, allowed: an object of one bin or more")
    ttl = document.get("ttl")
    if ttl is not None and (isinstance(ttl, bool) or not isinstance(ttl, int) or ttl < 1):
        raise InvalidArgError(f"ttl: got {shown(ttl)}, allowed: seconds, or null for no expiry")
    return key, {name: bin_from_json(name, value) for name, value in bins.items()}, ttl


def bin_from_json(name: str, value: Any) -> Any:
    """As :func:`from_json`, with the name of the bin in the error."""
    try:
        return from_json(value)
    except InvalidArgError as error:
        raise InvalidArgError(f"bin {shown(name)}: {error}") from None


def _key_of(document: dict[str, Any], namespace: str | None, set_name: str | None) -> Key:
    place = namespace or document.get("namespace")
    if place is None:
        raise InvalidArgError("there is no namespace in the line, and none was given")
    group = document.get("set", "") if set_name is None else set_name
    user_key = from_json(document.get("key"))
    digest = document.get("digest")
    if user_key is None and digest is None:
        raise InvalidArgError("a record has a key, or a digest, or both")
    if digest is None:
        return Key(place, group, user_key)
    try:
        digest = bytes.fromhex(digest)
    except (TypeError, ValueError):
        raise InvalidArgError(f"digest: got {shown(digest)}, allowed: 40 hexadecimal digits") from None
    if (document.get("set") or group) != group:
        raise InvalidArgError(
            f"a record with a digest stays in its set {shown(document['set'])}: the digest is computed of set and key"
        )
    return as_key((place, group, user_key, digest))
