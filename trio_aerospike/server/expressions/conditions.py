"""Build logic, conditions (cond) and variables (let)."""

from __future__ import annotations

import re

from ..._wire import exp_ops as codes
from ..cdt.elements import Malformed
from .building import Build, Builder, Part, Type, Variable, builds
from .literals import unknown
from .values import UNKNOWN, Evaluation, Frame, Value

_NAME = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*")


# Logic --------------------------------------------------------------------------------------------------------


def _conditions(builder: Builder, count: int) -> list[Evaluation]:
    if count < 2:
        raise Malformed
    return [builder.typed(Type.BOOL).evaluate for _ in range(count)]


def _decided_by(decisive: bool) -> Build:
    """And, or: one argument of the decisive value decides, even if others are unknown."""

    def build(builder: Builder, count: int) -> Part:
        conditions = _conditions(builder, count)

        def evaluate(frame: Frame) -> Value:
            result: Value = not decisive
            for condition in conditions:
                value = condition(frame)
                if value is decisive:
                    return decisive
                if value is UNKNOWN:
                    result = UNKNOWN
            return result

        return Part(Type.BOOL, evaluate)

    return build


builds(codes.AND)(_decided_by(decisive=False))
builds(codes.OR)(_decided_by(decisive=True))


@builds(codes.EXCLUSIVE)
def _exclusive(builder: Builder, count: int) -> Part:
    conditions = _conditions(builder, count)

    def evaluate(frame: Frame) -> Value:
        """Whether exactly one is true; unknown if one before the second true one is unknown."""
        found = False
        for condition in conditions:
            value = condition(frame)
            if value is UNKNOWN:
                return UNKNOWN
            if value is True:
                if found:
                    return False
                found = True
        return found

    return Part(Type.BOOL, evaluate)


@builds(codes.NOT, n_arguments=1)
def _not(builder: Builder, _count: int) -> Part:
    condition = builder.typed(Type.BOOL).evaluate

    def evaluate(frame: Frame) -> Value:
        value = condition(frame)
        return value if value is UNKNOWN else value is not True

    return Part(Type.BOOL, evaluate)


# Conditions ---------------------------------------------------------------------------------------------------


@builds(codes.COND)
def _cond(builder: Builder, count: int) -> Part:
    if count < 3 or count % 2 == 0:
        raise Malformed
    cases: list[tuple[Evaluation, Evaluation]] = []
    kind: Type | None = None
    for _ in range(count // 2):
        condition = builder.typed(Type.BOOL)
        branch = builder.next()
        kind = _common(kind, branch)
        cases.append((condition.evaluate, _usable(branch)))
    default = builder.next()
    kind = _common(kind, default)
    if kind is None:
        kind = default.type
    if kind is Type.OTHER:
        raise Malformed
    otherwise = _usable(default)

    def evaluate(frame: Frame) -> Value:
        for condition, branch in cases:
            value = condition(frame)
            if value is UNKNOWN:
                return UNKNOWN
            if value is True:
                return branch(frame)
        return otherwise(frame)

    return Part(kind, evaluate)


def _common(kind: Type | None, branch: Part) -> Type | None:
    """The common type of the branches so far; an extension leaves it open, as in the server."""
    if branch.is_unknown:
        return kind
    if kind is not None and branch.type is not kind:
        raise Malformed
    return None if branch.type is Type.OTHER else branch.type


def _usable(branch: Part) -> Evaluation:
    return unknown().evaluate if branch.type is Type.OTHER else branch.evaluate


# Variables ----------------------------------------------------------------------------------------------------


@builds(codes.LET)
def _let(builder: Builder, count: int) -> Part:
    if count < 3 or count % 2 == 0:
        raise Malformed
    first = len(builder.variables)
    definitions: list[tuple[int, Evaluation]] = []
    for _ in range(count // 2):
        name = builder.reader.text()
        if _NAME.fullmatch(name) is None or _find(builder, name) is not None:
            raise Malformed
        variable = Variable(name, len(builder.variables))
        builder.variables.append(variable)
        part = builder.next()
        variable.type = part.type
        definitions.append((variable.index, part.evaluate))
    body = builder.next()
    builder.n_variables = max(builder.n_variables, len(builder.variables))
    del builder.variables[first:]

    def evaluate(frame: Frame) -> Value:
        variables = frame.variables
        for index, definition in definitions:
            variables[index] = definition(frame)
        return body.evaluate(frame)

    return Part(body.type, evaluate, body.is_unknown)


@builds(codes.VAR, n_arguments=1)
def _var(builder: Builder, _count: int) -> Part:
    variable = _find(builder, builder.reader.text())
    if variable is None or variable.type is None or variable.type is Type.OTHER:
        raise Malformed
    index = variable.index
    return Part(variable.type, lambda frame: frame.variables[index])


def _find(builder: Builder, name: bytes) -> Variable | None:
    return next((variable for variable in builder.variables if variable.name == name), None)
