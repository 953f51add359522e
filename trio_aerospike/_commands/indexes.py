"""Create, drop and list secondary indexes."""

from __future__ import annotations

import base64
from functools import partial
from typing import Never

from .._observers import instrumented
from .._wire.constants import BIN_NAME_MAX, NAMESPACE_MAX, SET_NAME_MAX
from .._wire.index_ranges import INDEX_NAME_MAX
from .._wire.info import parse_error
from ..ctx import ContextLike, encode as encode_context
from ..errors import ProtocolError, error_from_code
from ..indexes import COLLECTION_NAMES, TYPE_NAMES, Collection, IndexInfo, IndexType, parse_index_list
from ..jobs import IndexJob
from ..policies import InfoPolicy
from ..predicates import Packable, packed_source
from ..validation import checked_bin_name, checked_enum, checked_info_name, refused, unknown_argument
from .info import InfoCommands, check_done

__all__ = ["IndexCommands"]


class IndexCommands(InfoCommands):
    """The part of the client that creates, drops and lists secondary indexes."""

    @instrumented
    async def create_index(
        self,
        namespace: str,
        set_name: str | None,
        source: str | Packable,
        name: str,
        type: IndexType,
        *,
        collection: Collection = Collection.NONE,
        ctx: ContextLike | None = None,
        policy: InfoPolicy | None = None,
        **unknown: Never,
    ) -> IndexJob:
        """Create a secondary index. The nodes fill it in the background: wait for the job before the first query.

        To make an index that there is already succeeds; under another name it is renamed.

        Args:
            namespace: the namespace.
            set_name: the set; None or "" for all sets.
            source: the bin's name, or an expression, which the server works out for each record. It may depend on
                bins and the digest, not on other metadata.
            name: what to call it: 1 to 63 bytes without ';', ':', '=', tabs and line breaks.
            type: the type of the values that are kept; those of other types are passed over.
            collection: which elements of a list or map are kept; NONE for the value itself.
            ctx: where within the bin the value or collection is.
            policy: how; None for the client's info policy.

        Returns:
            The job: ``await job.wait(timeout)``.

        Raises:
            InvalidArgError: an argument is invalid.
            IndexFoundError: there is an index of that name for something else.
            AerospikeError: what the server refused, or why no node could be asked.
        """
        if unknown:
            raise unknown_argument(self, "create_index", unknown)
        what = "create_index"
        kind = checked_enum(f"{what}.type", type, IndexType)
        elements = checked_enum(f"{what}.collection", collection, Collection)
        if kind is IndexType.GEO2DSPHERE and elements is Collection.MAP_KEYS:
            raise refused(f"{what}.collection", collection, "no MAP_KEYS with GEO2DSPHERE: no key of a map is a place")
        parts = _scope(what, namespace, set_name, name)
        if ctx is not None:
            parts.append(f"context={_base64(encode_context(ctx))}")
        if elements is not Collection.NONE:
            parts.append(f"indextype={COLLECTION_NAMES[elements].upper()}")
        if isinstance(source, str):
            bin_name = checked_bin_name(source, f"{what}.source")
            parts.append(f"bin={checked_info_name(f'{what}.source', bin_name, BIN_NAME_MAX)}")
        else:
            if ctx is not None:
                raise refused(f"{what}.ctx", ctx, "None beside an expression, which leads to its value by itself")
            parts.append(f"exp={_base64(packed_source(f'{what}.source', source))}")
        parts.append(f"type={TYPE_NAMES[kind].upper()}")
        return await self._create(namespace, name, parts, policy)

    @instrumented
    async def create_set_index(
        self, namespace: str, set_name: str, name: str, *, policy: InfoPolicy | None = None, **unknown: Never
    ) -> IndexJob:
        """Create an index of a set: scans of a small set in a large namespace are quick with it.

        Args:
            namespace: the namespace.
            set_name: the set.
            name: what to call it.
            policy: how; None for the client's info policy.

        Returns:
            The job: ``await job.wait(timeout)``.

        Raises:
            InvalidArgError: an argument is invalid.
            AerospikeError: what the server refused, or why no node could be asked.
        """
        if unknown:
            raise unknown_argument(self, "create_set_index", unknown)
        if not set_name:
            raise refused("create_set_index.set_name", set_name, "the name of a set")
        parts = [*_scope("create_set_index", namespace, set_name, name), "indextype=SET"]
        return await self._create(namespace, name, parts, policy)

    async def _create(self, namespace: str, name: str, parts: list[str], policy: InfoPolicy | None) -> IndexJob:
        what = f"index {name!r} in namespace {namespace!r}"
        await self._tell(f"sindex-create:{';'.join(parts)}", f"create {what}", policy)
        return IndexJob(what, partial(self.info_all, policy=policy), namespace, name, gone=False)

    async def _tell(self, command: str, what: str, policy: InfoPolicy | None) -> None:
        check_done(what, await self._change_on_one_node(command, policy))

    @instrumented
    async def drop_index(
        self, namespace: str, name: str, *, policy: InfoPolicy | None = None, **unknown: Never
    ) -> IndexJob:
        """Drop an index. To drop one that is not there succeeds.

        Args:
            namespace: the namespace.
            name: the index.
            policy: how; None for the client's info policy.

        Returns:
            The job: ``await job.wait(timeout)`` waits until it is gone from all nodes.

        Raises:
            InvalidArgError: an argument is invalid.
            AerospikeError: what the server refused, or why no node could be asked.
        """
        if unknown:
            raise unknown_argument(self, "drop_index", unknown)
        namespace = checked_info_name("drop_index.namespace", namespace, NAMESPACE_MAX)
        name = checked_info_name("drop_index.name", name, INDEX_NAME_MAX)
        what = f"index {name!r} in namespace {namespace!r}"
        await self._tell(f"sindex-delete:namespace={namespace};indexname={name}", f"drop {what}", policy)
        return IndexJob(f"drop of {what}", partial(self.info_all, policy=policy), namespace, name, gone=True)

    @instrumented
    async def list_indexes(
        self, namespace: str | None = None, *, policy: InfoPolicy | None = None, **unknown: Never
    ) -> list[IndexInfo]:
        """The secondary indexes of a namespace, or of all, as one of the nodes knows them.

        Args:
            namespace: the namespace; None for all.
            policy: how; None for the client's info policy.

        Raises:
            AerospikeError: what the server refused (20 for an unknown namespace), or why no node could be asked.
            ProtocolError: the answer is of an unknown form.
        """
        if unknown:
            raise unknown_argument(self, "list_indexes", unknown)
        command = "sindex-list:b64=true"
        if namespace is not None:
            command += f";namespace={checked_info_name('list_indexes.namespace', namespace, NAMESPACE_MAX)}"
        answer = await self.info_random_node(command, policy=policy)
        failed = parse_error(answer)
        if failed is not None:
            # The server has two lists, and says of both what is wrong.
            raise error_from_code(failed.code, f"list_indexes: {failed.message.partition(';')[0]}")
        try:
            return parse_index_list(answer)
        except ProtocolError as error:
            raise ProtocolError(f"list_indexes: {error.message}") from None


def _scope(what: str, namespace: str, set_name: str | None, name: str) -> list[str]:
    parts = [f"namespace={checked_info_name(f'{what}.namespace', namespace, NAMESPACE_MAX)}"]
    if set_name:
        parts.append(f"set={checked_info_name(f'{what}.set_name', set_name, SET_NAME_MAX)}")
    parts.append(f"indexname={checked_info_name(f'{what}.name', name, INDEX_NAME_MAX)}")
    return parts


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
