"""Values that operations, contexts and expressions take: orders, flags, policies, return types, and their checks.

They stand below :mod:`trio_aerospike.ctx`, :mod:`trio_aerospike.exp` and :mod:`trio_aerospike.operations`, which
export them.
"""
