"""Compile expressions from their bytes, with a cache."""

from __future__ import annotations

from functools import lru_cache

import attrs

from ..._wire import constants as wire
from ...errors import ResultCode
from ..cdt.elements import Malformed
from ..cdt.paths import REMOVED as REMOVED_ELEMENT
from ..exceptions import Refused
from . import arithmetic, bins, calls, comparisons, conditions, literals, metadata  # noqa: F401  (they register what they build)
from .building import PARTICLES, Builder, Type
from .packing import packed
from .validation import check_whole
from .values import REMOVED, UNKNOWN, Evaluation, Frame, Scope, Value

CACHED_EXPRESSIONS = 256


@attrs.frozen(eq=False)
class Expression:
    """A compiled expression.

    Args:
        type: the type of its value.
        bin_names: the bins that it reads.
    """

    type: Type
    bin_names: frozenset[bytes]
    _evaluate: Evaluation
    _n_variables: int

    @property
    def particle(self) -> int:
        """The particle type of its value; that of nil if it has none."""
        return PARTICLES.get(self.type, wire.PARTICLE_NULL)

    def evaluate(self, scope: Scope) -> Value:
        """Evaluate it; UNKNOWN if its value is undetermined."""
        try:
            return self._evaluate(Frame(scope, self._n_variables))
        except RecursionError:
            return UNKNOWN

    def matches(self, scope: Scope) -> Value:
        """True, False or UNKNOWN, for an expression of type bool.

        With the bins in scope, UNKNOWN means a mismatch; with metadata alone, evaluate again with the bins.
        """
        value = self.evaluate(scope)
        return value if value is UNKNOWN else value is True

    def matches_element(self, key: bytes | None, value: bytes | None, index: bytes | None) -> bool | None:
        """Whether it is true of an element of a list or map; None if that is unknown (`cdt.paths.PathExpression`)."""
        result = self.matches(Scope.of_element(key, value, index))
        return None if result is UNKNOWN else result is True

    def modified_element(self, key: bytes | None, value: bytes | None, index: bytes | None) -> bytes | None:
        """Evaluate it on an element that it modifies (`cdt.paths.PathExpression`)."""
        result = self.evaluate(Scope.of_element(key, value, index))
        if result is REMOVED:
            return REMOVED_ELEMENT
        return None if result is UNKNOWN else packed(result)


@lru_cache(CACHED_EXPRESSIONS)
def compile_expression(data: bytes) -> Expression:
    """Compile an expression; the latest ones are cached.

    Raises:
        Refused: PARAM, the server would refuse to build it.
    """
    try:
        check_whole(data)
        builder = Builder(data, compile_expression)
        part = builder.next()
        if part.type is Type.OTHER:
            raise Malformed
    except (Malformed, RecursionError, IndexError) as error:
        raise Refused(ResultCode.PARAM) from error
    return Expression(part.type, frozenset(builder.bin_names), part.evaluate, builder.n_variables)


def compile_filter(data: bytes) -> Expression:
    """Compile a filter: an expression of type bool.

    Raises:
        Refused: PARAM, the server would refuse to build it, or it is of another type.
    """
    expression = compile_expression(data)
    if expression.type is not Type.BOOL:
        raise Refused(ResultCode.PARAM)
    return expression
