"""Expressions: filters and computed values that the server evaluates on a record.

::

    from trio_aerospike import exp

    adult = exp.int_bin("age") >= 18
    named = exp.regex_compare("^a", exp.RegexFlag.ICASE, exp.str_bin("name"))
    policy = ReadPolicy(filter_expression=adult & ~named)

    total = exp.int_bin("price") * exp.int_bin("count")
    await client.operate(key, [operations.read_expression("total", total)])

An expression is a filter in the policy of every command, the value of an operation (``read_expression``,
``write_expression``), a condition within a path expression, or the source of a secondary index. It is checked as it is
built: InvalidArgError names the place in the expression that the server would refuse.

Bins and metadata, comparison, logic, arithmetic, bits of ints, text, geography, conditions and variables are here;
operations on parts of values are in :mod:`~trio_aerospike.exp.lists`, :mod:`~trio_aerospike.exp.maps`,
:mod:`~trio_aerospike.exp.bits` and :mod:`~trio_aerospike.exp.hll`.

The value of a missing bin, or of a bin of another type, is unknown: a filter excludes the record, an operation fails
unless its flags allow it.
"""

from trio_aerospike._cdt.bits_and_hll import (
    BitOverflow as BitOverflow,
    BitPolicy as BitPolicy,
    BitResize as BitResize,
    BitWrite as BitWrite,
    HLLPolicy as HLLPolicy,
    HLLWrite as HLLWrite,
)
from trio_aerospike._cdt.lists_and_maps import (
    ListOrder as ListOrder,
    ListPolicy as ListPolicy,
    ListReturn as ListReturn,
    ListSort as ListSort,
    ListWrite as ListWrite,
    MapOrder as MapOrder,
    MapPolicy as MapPolicy,
    MapReturn as MapReturn,
    MapWrite as MapWrite,
    PathSelect as PathSelect,
)
from trio_aerospike._wire.value_types import INFINITY as INFINITY, WILDCARD as WILDCARD
from trio_aerospike.exp import bits as bits, hll as hll, lists as lists, maps as maps
from trio_aerospike.exp._bins_and_metadata import (
    bin_exists as bin_exists,
    bin_type as bin_type,
    blob_bin as blob_bin,
    blob_val as blob_val,
    bool_bin as bool_bin,
    bool_val as bool_val,
    device_size as device_size,
    digest_modulo as digest_modulo,
    float_bin as float_bin,
    float_val as float_val,
    geo_bin as geo_bin,
    geo_val as geo_val,
    hll_bin as hll_bin,
    hll_val as hll_val,
    infinity as infinity,
    int_bin as int_bin,
    int_val as int_val,
    is_tombstone as is_tombstone,
    key as key,
    key_exists as key_exists,
    last_update as last_update,
    list_bin as list_bin,
    list_val as list_val,
    map_bin as map_bin,
    map_val as map_val,
    memory_size as memory_size,
    nil as nil,
    record_size as record_size,
    set_name as set_name,
    since_update as since_update,
    str_bin as str_bin,
    str_val as str_val,
    ttl as ttl,
    val as val,
    void_time as void_time,
    wildcard as wildcard,
)
from trio_aerospike.exp._conditions import (
    CallSystem as CallSystem,
    Definition as Definition,
    call as call,
    cond as cond,
    def_ as def_,
    let_ as let_,
    unknown as unknown,
    var as var,
)
from trio_aerospike.exp._decode import from_base64 as from_base64, from_bytes as from_bytes
from trio_aerospike.exp._expression import Expression as Expression, Operand as Operand
from trio_aerospike.exp._operators import (
    and_ as and_,
    eq as eq,
    ge as ge,
    geo_compare as geo_compare,
    gt as gt,
    in_list as in_list,
    int_and as int_and,
    int_arshift as int_arshift,
    int_count as int_count,
    int_lscan as int_lscan,
    int_lshift as int_lshift,
    int_not as int_not,
    int_or as int_or,
    int_rscan as int_rscan,
    int_rshift as int_rshift,
    int_xor as int_xor,
    le as le,
    lt as lt,
    map_keys as map_keys,
    map_values as map_values,
    max_ as max_,
    min_ as min_,
    ne as ne,
    not_ as not_,
    num_abs as num_abs,
    num_add as num_add,
    num_ceil as num_ceil,
    num_div as num_div,
    num_floor as num_floor,
    num_log as num_log,
    num_mod as num_mod,
    num_mul as num_mul,
    num_pow as num_pow,
    num_sub as num_sub,
    or_ as or_,
    regex_compare as regex_compare,
    to_float as to_float,
    to_int as to_int,
    xor_ as xor_,
)
from trio_aerospike.exp._types import (
    DEPTH_MAX as DEPTH_MAX,
    SIZE_MAX as SIZE_MAX,
    BinType as BinType,
    ExpType as ExpType,
    RegexFlag as RegexFlag,
)
from trio_aerospike.exp.paths import (
    loop_index as loop_index,
    loop_key as loop_key,
    loop_value as loop_value,
    modify_by_path as modify_by_path,
    remove_result as remove_result,
    select_by_path as select_by_path,
)

# The names that users of aerospike_py and of the official clients know.
string_bin = str_bin
string_val = str_val
exclusive = xor_
let = let_
