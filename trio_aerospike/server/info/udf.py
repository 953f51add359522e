"""Info commands about UDF modules (server: as/src/base/udf_cask.c)."""

from __future__ import annotations

import base64
import binascii

from ..._lua import CompileError, is_available
from ...errors import ResultCode
from ..udf.modules import SOURCE_MAX
from .registry import InfoError, InfoRequest, info_command

_NAME_MAX = 128
_LUA = "LUA"


@info_command("udf-put", permission="udf-admin")
def _put(request: InfoRequest) -> str:
    name = _file_name(request)
    stem, dot, extension = name.partition(".")
    if not (stem and dot and extension):
        return "error=invalid_filename"
    length = request.param("content-len")
    if length is None:
        return "error=invalid_content_len"
    if (request.param("udf-type") or _LUA) != _LUA:
        return "error=invalid_udf_type"
    if not (length.isascii() and length.isdigit()) or int(length) % 4:
        return "error=invalid_content_len"
    content = request.param("content")
    if content is None or len(content) != int(length):
        return "error=invalid_content"
    if len(content) // 4 * 3 > SOURCE_MAX:
        return "error=invalid_udf_content_len,>1M"
    try:
        source = base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError):
        return "error=invalid_base64_content"
    if not is_available():
        raise InfoError(
            ResultCode.UNSUPPORTED_FEATURE,
            "the embedded server needs lupa for functions: pip install 'trio-aerospike[udf]'",
        )
    try:
        request.node.cluster.modules.put(name, source)
    except CompileError as error:
        message = base64.b64encode(error.message.encode()).decode()
        return f"error=compile_error;file={name};line={error.line};message={message}"
    return "ok"


@info_command("udf-remove", permission="udf-admin")
def _remove(request: InfoRequest) -> str:
    name = _file_name(request)
    if not name:
        return "error=invalid_filename"
    request.node.cluster.modules.remove(name)
    return "ok"


@info_command("udf-list")
def _list(request: InfoRequest) -> str:
    found = request.node.cluster.modules.described()
    return "".join(f"filename={name},hash={digest},type={_LUA};" for name, digest in found)


@info_command("udf-get")
def _get(request: InfoRequest) -> str:
    name = _file_name(request)
    if not name:
        return "error=invalid_filename"
    source = request.node.cluster.modules.source(name)
    if source is None:
        return "error=not_found"
    if not source:
        return "error=empty"
    return f"type={_LUA};content={base64.b64encode(source).decode()};"


@info_command("udf-clear-cache", permission="udf-admin")
def _clear_cache(request: InfoRequest) -> str:
    request.node.cluster.modules.unload()
    return "ok"


def _file_name(request: InfoRequest) -> str:
    """The file name of a module; "" if it is missing or too long."""
    name = request.param("filename") or ""
    return name if len(name.encode()) < _NAME_MAX else ""
