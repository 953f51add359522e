"""User-defined functions: register Lua modules, and call their functions on records."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Never

import attrs
import trio

from .._batch.udf_call import MODULE_MAX, check_policy, udf_fields
from .._observers import instrumented
from .._wire import constants as wire
from .._wire.commands import encode_command, encode_field, key_fields
from .._wire.info import parse_error
from .._wire.records import decode_record
from ..errors import AerospikeTimeoutError, InvalidArgError, ProtocolError, ResultCode, UDFError, error_from_code
from ..keys import KeyLike, as_key
from ..policies import InfoPolicy, WritePolicy, chosen, wire_ttl
from ..records import UDF_SUCCESS
from ..validation import checked_info_name, refused, shown, unknown_argument
from .info import InfoCommands
from .records import undecodable

#: Bytes of a module (server: MAX_UDF_CONTENT_LENGTH).
_SOURCE_MAX = 1024 * 1024
#: Seconds between two looks whether all nodes have heard of a change.
_LOOK_EVERY = 0.05


@attrs.frozen
class UDFModule:
    """A module of user-defined functions as a server lists it."""

    name: str
    """Its file name, e.g. ``"visits.lua"``."""
    hash: str
    """SHA-1 of what the servers keep of it, in hexadecimal; the same on nodes that have the same module."""
    language: str = "LUA"


class UDFCommands(InfoCommands):
    """The part of the client that works with user-defined functions."""

    @instrumented
    async def udf_put(
        self,
        source: str | os.PathLike[str] | bytes,
        *,
        name: str | None = None,
        wait: float | None = 10.0,
        policy: InfoPolicy | None = None,
        **unknown: Never,
    ) -> UDFModule:
        """Register a module of Lua functions with the cluster.

        Args:
            source: the path of a file, or the module's text as bytes.
            name: what it is called there, with an extension (``"visits.lua"``); None for the name of the file. Its
                functions are called by this name without the extension.
            wait: seconds until all nodes must have it; None to return when one node has taken it.
            policy: how; None for the client's info policy.

        Returns:
            The module as the servers list it.

        Raises:
            InvalidArgError: the file cannot be read, or such a module cannot be registered.
            UDFError: the module does not compile; the message has the compiler's words and the line.
            AerospikeTimeoutError: some node does not have it within ``wait`` seconds; the message says which.
            AerospikeError: what the server refused, or why no node could be asked.
        """
        self._cluster.trio_run.check("udf_put")
        if unknown:
            raise unknown_argument(self, "udf_put", unknown)
        _check_wait("udf_put.wait", wait)
        if isinstance(source, (bytes, bytearray)):
            text = bytes(source)
            if name is None:
                raise refused("udf_put.name", name, "the name of the module, where its text is given")
        elif not isinstance(source, (str, os.PathLike)):
            raise refused("udf_put.source", source, "the path of a file, or the text of a module as bytes")
        else:
            path = Path(source)
            try:
                text = await trio.Path(path).read_bytes()
            except OSError as error:
                given = shown(str(source))
                raise InvalidArgError(f"udf_put.source: got {given}, which cannot be read: {error}") from error
            name = path.name if name is None else name
        name = _checked_module("udf_put.name", name)
        if not 0 < len(text) <= _SOURCE_MAX:
            raise InvalidArgError(f"udf_put.source: got {len(text)} bytes, allowed: 1 to {_SOURCE_MAX}")
        content = base64.b64encode(text).decode()
        # Field by field as the C client writes them (aerospike_udf.c): servers look for the names in this order.
        command = f"udf-put:filename={name};content={content};content-len={len(content)};udf-type=LUA;"
        answer = await self._change_on_one_node(command, policy)
        _check_answer(f"udf_put of {name!r}", answer)
        if wait is None:
            found = _parse_modules(await self.info_random_node("udf-list", policy=policy))
            return next((module for module in found if module.name == name), UDFModule(name, ""))
        return await self._until_all_have(name, wait, policy)

    @instrumented
    async def udf_remove(
        self, name: str, *, wait: float | None = 10.0, policy: InfoPolicy | None = None, **unknown: Never
    ) -> None:
        """Remove a module from the cluster; one that is not there is no error, as with the server.

        Args:
            name: what it is called there.
            wait: seconds until no node must have it any more; None to return when one node has taken it.
            policy: how; None for the client's info policy.

        Raises:
            AerospikeTimeoutError: some node still has it after ``wait`` seconds.
            AerospikeError: what the server refused, or why no node could be asked.
        """
        if unknown:
            raise unknown_argument(self, "udf_remove", unknown)
        name = _checked_module("udf_remove.name", name)
        _check_wait("udf_remove.wait", wait)
        answer = await self._change_on_one_node(f"udf-remove:filename={name};", policy)
        _check_answer(f"udf_remove of {name!r}", answer)
        if wait is not None:
            await self._until(
                lambda found: found is None, f"udf_remove of {name!r}: still there on", name, wait, policy
            )

    @instrumented
    async def udf_list(self, *, policy: InfoPolicy | None = None, **unknown: Never) -> list[UDFModule]:
        """The modules that are registered, sorted by name.

        Raises:
            AerospikeError: why no node could be asked.
        """
        if unknown:
            raise unknown_argument(self, "udf_list", unknown)
        answer = await self.info_random_node("udf-list", policy=policy)
        _check_answer("udf_list", answer)
        return sorted(_parse_modules(answer), key=lambda one: one.name)

    @instrumented
    async def udf_get(self, name: str, *, policy: InfoPolicy | None = None, **unknown: Never) -> bytes:
        """The text of a module.

        Args:
            name: what it is called there.
            policy: how; None for the client's info policy.

        Raises:
            UDFError: there is no such module.
            AerospikeError: why no node could be asked.
        """
        if unknown:
            raise unknown_argument(self, "udf_get", unknown)
        name = _checked_module("udf_get.name", name)
        answer = await self.info_random_node(f"udf-get:filename={name}", policy=policy)
        _check_answer(f"udf_get of {name!r}", answer)
        content = _fields(answer).get("content", "")
        try:
            return base64.b64decode(content, validate=True)
        except binascii.Error as error:
            raise UDFError(f"udf_get of {name!r}: the server's answer cannot be decoded: {error}") from None

    async def apply(
        self,
        key: KeyLike,
        module: str,
        function: str,
        arguments: Iterable[Any] = (),
        *,
        ttl: int | None = None,
        policy: WritePolicy | None = None,
        **unknown: Never,
    ) -> Any:
        """Call a function of a registered module on a record, where the record is.

        Args:
            key: the record; the function may create it.
            module: the module's name without its extension.
            function: the function. It gets the record and then the arguments.
            arguments: values that the database can hold.
            ttl: seconds until the record expires if the function writes it; None for the policy's.
            policy: how; None for the client's write policy. Its ``exists`` and ``generation`` checks are refused, as
                the server refuses them for functions. A call is a write: where it may have run, it is sent again only
                if ``max_retries`` says so.

        Returns:
            What the function returned.

        Raises:
            UDFError: the function failed, with its message and line, or there is no such module or function.
            InvalidArgError: an argument is wrong; nothing is sent.
        """
        if unknown:
            raise unknown_argument(self, "apply", unknown)
        key = as_key(key)
        policy = chosen(policy, self._config.write_policy, WritePolicy)
        check_policy("apply", policy)
        fields, count = key_fields(key.namespace, key.set_name, key.digest, key.user_key if policy.send_key else None)
        if policy.filter_expression is not None:
            fields += encode_field(wire.FIELD_FILTER, policy.filter_expression)
            count += 1
        fields += udf_fields("apply", module, function, arguments)
        frame = encode_command(
            0,
            policy._info2 | wire.INFO2_WRITE,
            policy._info3,
            0,
            0,
            policy._wire_ttl if ttl is None else wire_ttl(ttl, "apply.ttl"),
            policy._transaction_ttl,
            fields,
            count + 3,
            b"",
            0,
        )
        body = await self._executor.run("apply", key, frame, policy, True)
        try:
            return decode_record(body)[3].get(UDF_SUCCESS)
        except ProtocolError as error:
            raise undecodable("apply", key, error, done=True) from None

    async def _until_all_have(self, name: str, wait: float, policy: InfoPolicy | None) -> UDFModule:
        found = await self._until(lambda one: one is not None, f"udf_put of {name!r}: not there on", name, wait, policy)
        assert found is not None
        return found

    async def _until(
        self,
        fits: Callable[[UDFModule | None], bool],
        complaint: str,
        name: str,
        wait: float,
        policy: InfoPolicy | None,
    ) -> UDFModule | None:
        """Wait until a module is there, the same one, on all nodes; or on none."""
        deadline = trio.current_time() + wait
        while True:
            seen: dict[str, UDFModule | None] = {}
            for result in await self.info_all("udf-list", policy=policy):
                if not result.error_code:
                    modules = {module.name: module for module in _parse_modules(result.response)}
                    seen[result.node_name] = modules.get(name)
            missing = sorted(node for node, module in seen.items() if not fits(module))
            if seen and not missing and len(set(seen.values())) == 1:
                return next(iter(seen.values()))
            if trio.current_time() >= deadline:
                nodes = ", ".join(missing or sorted(seen)) or "any node that answers"
                raise AerospikeTimeoutError(f"{complaint} {nodes} after {wait} s", in_doubt=True)
            await trio.sleep(_LOOK_EVERY)


def _checked_module(where: str, name: str) -> str:
    checked_info_name(where, name, MODULE_MAX, also="/,")
    stem, dot, extension = name.partition(".")
    if not stem or not dot or not extension:
        raise refused(where, name, "a file name with an extension, such as 'visits.lua'")
    return name


def _check_wait(where: str, wait: float | None) -> None:
    if wait is not None and (isinstance(wait, bool) or not isinstance(wait, (int, float)) or not wait >= 0):
        raise refused(where, wait, "seconds, 0 or more, or None")


def _fields(answer: str) -> dict[str, str]:
    return dict(part.partition("=")[::2] for part in answer.split(";") if part)


def _parse_modules(answer: str) -> list[UDFModule]:
    """Modules from the answer to ``udf-list``: ``filename=a.lua,hash=...,type=LUA;...``."""
    found = []
    for entry in answer.split(";"):
        fields = dict(part.partition("=")[::2] for part in entry.split(","))
        if "filename" in fields:
            found.append(UDFModule(fields["filename"], fields.get("hash", ""), fields.get("type", "LUA")))
    return found


def _check_answer(what: str, answer: str) -> None:
    """Raise what a server says of a command on modules (server: udf_cask.c)."""
    failed = parse_error(answer)
    if failed is not None and not answer.startswith("error="):
        raise error_from_code(failed.code, f"{what}: {failed.message}")
    fields = _fields(answer)
    reason = fields.get("error")
    if reason is None:
        return
    if reason == "compile_error":
        try:
            message = base64.b64decode(fields.get("message", "")).decode("utf-8", "replace").rstrip("\0")
        except binascii.Error:
            message = fields.get("message", "")
        place = f"{fields.get('file', '?')}:{fields.get('line', '?')}"
        raise UDFError(f"{what}: does not compile: {place}: {message}", result_code=ResultCode.UDF)
    raise UDFError(f"{what}: {reason.replace('_', ' ')}", result_code=ResultCode.UDF)
