"""Records as lines of JSON and back, nothing lost on the way.

JSON knows text keys and no bytes; what it lacks is said by an object with one key that begins with a dollar:

    {"$bytes": "AAE="}                  bytes, in base64
    {"$blob": [9, "AAE="]}              bytes of another particle type
    {"$hll": "AAE="}                    a HyperLogLog sketch
    {"$geojson": {"type": ...}}         GeoJSON; its text where that is not what Python's json writes
    {"$float": "nan"}                   nan, inf and -inf
    {"$map": [[key, value], ...]}       a map with other keys than text, or with one that looks like the above
    {"$map": [...], "order": 1}         a map that the server keeps in an order
    {"$list": [...], "order": 1}        a list that the server keeps sorted
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Callable
from typing import Any

from .._wire.values import GeoJSON, HyperLogLog, OrderedList, OrderedMap, TypedBlob
from ..errors import InvalidArgError
from ..keys import Key
from ..records import Record
from ..validation import shown


def to_json(value: Any) -> Any:
    """A value of a bin as what ``json`` can write."""
    if value is None or isinstance(value, (bool, str, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"$float": repr(value)}
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
    raise InvalidArgError(f"{shown(value)} is no value of the database")


def _map_to_json(value: dict[Any, Any]) -> Any:
    order = value.order if isinstance(value, OrderedMap) else 0
    plain = all(isinstance(key, str) and not key.startswith("$") for key in value)
    if plain and not order:
        return {key: to_json(item) for key, item in value.items()}
    pairs = [[to_json(key), to_json(item)] for key, item in value.items()]
    return {"$map": pairs, "order": order} if order else {"$map": pairs}


def _geojson(text: str) -> Any:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return document if isinstance(document, dict) and json.dumps(document) == text else text


def from_json(value: Any) -> Any:
    """The value of a bin that ``to_json`` made this of.

    Raises:
        InvalidArgError: an object with a dollar is none of those that are known.
    """
    if isinstance(value, list):
        return [from_json(item) for item in value]
    if not isinstance(value, dict):
        return value
    special = [key for key in value if key.startswith("$")]
    if not special:
        return {key: from_json(item) for key, item in value.items()}
    reader = _READERS.get(special[0])
    known = {special[0], "order"} if special[0] in ("$map", "$list") else {special[0]}
    if reader is None or not set(value) <= known:
        raise InvalidArgError(f"{shown(value)}: an object with a dollar is one of {', '.join(_READERS)}")
    try:
        return reader(value[special[0]], value.get("order", 0))
    except InvalidArgError:
        raise  # of a value inside, which says it better
    except (TypeError, ValueError, binascii.Error) as error:
        raise InvalidArgError(f"{shown(value)}: {error}") from None


def _read_map(pairs: Any, order: Any) -> dict[Any, Any]:
    items = {from_json(key): from_json(item) for key, item in pairs}
    return OrderedMap(items, int(order)) if order else items


def _read_list(items: Any, order: Any) -> list[Any]:
    values = [from_json(item) for item in items]
    return OrderedList(values, int(order)) if order else values


_READERS: dict[str, Callable[[Any, Any], Any]] = {
    "$bytes": lambda text, _: _unbase64(text),
    "$blob": lambda pair, _: TypedBlob(int(pair[0]), _unbase64(pair[1])),
    "$hll": lambda text, _: HyperLogLog(_unbase64(text)),
    "$geojson": lambda document, _: GeoJSON(document),
    "$float": lambda text, _: float(text),
    "$map": _read_map,
    "$list": _read_list,
}


def _base64(data: bytes | bytearray) -> str:
    return base64.b64encode(data).decode()


def _unbase64(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def record_to_json(record: Record) -> dict[str, Any]:
    """A record as an object: its key, its generation, seconds to live (null: for ever) and its bins."""
    key = record.key
    document: dict[str, Any] = {"namespace": key.namespace, "set": key.set_name}
    if key.user_key is None:
        document["digest"] = key.digest.hex()
    else:
        document["key"] = to_json(key.user_key)
    document |= {"generation": record.generation, "ttl": record.ttl}
    document["bins"] = {name: to_json(value) for name, value in record.bins.items()}
    return document


def record_from_json(line: str, namespace: str | None, set_name: str | None) -> tuple[Key, dict[str, Any], int | None]:
    """What to write for a line that :func:`record_to_json` made.

    Args:
        line: the line.
        namespace, set_name: in place of those of the line, which may then be missing.

    Returns:
        Key, bins and seconds to live (None: for ever).

    Raises:
        InvalidArgError: it is no such line.
    """
    try:
        document = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InvalidArgError(f"this is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise InvalidArgError(f"a record is an object, this is {shown(document)}")
    unknown = set(document) - {"namespace", "set", "key", "digest", "generation", "ttl", "bins"}
    if unknown:
        raise InvalidArgError(f"unknown field {shown(sorted(unknown)[0])}")
    place = namespace or document.get("namespace")
    group = document.get("set", "") if set_name is None else set_name
    if not isinstance(place, str):
        raise InvalidArgError("there is no namespace in the line, and none was given")
    if ("key" in document) == ("digest" in document):
        raise InvalidArgError("a record has either key or digest")
    if "key" in document:
        key = Key(place, group, from_json(document["key"]))
    else:
        try:
            digest = bytes.fromhex(document["digest"])
        except (TypeError, ValueError):
            raise InvalidArgError(f"digest: got {shown(document['digest'])}, allowed: 40 hexadecimal digits") from None
        key = Key.from_digest(place, group, digest)
    bins = document.get("bins")
    if not isinstance(bins, dict) or not bins:
        raise InvalidArgError(f"bins: got {shown(bins)}, allowed: an object of one bin or more")
    ttl = document.get("ttl")
    if ttl is not None and (isinstance(ttl, bool) or not isinstance(ttl, int) or ttl < 1):
        raise InvalidArgError(f"ttl: got {shown(ttl)}, allowed: seconds, or null for ever")
    return key, {name: from_json(value) for name, value in bins.items()}, ttl
