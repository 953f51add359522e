"""Operations as dicts: their types, and their conversion to the operations of trio_aerospike."""
