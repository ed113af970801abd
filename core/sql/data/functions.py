"""Writes functions.jsonl: the functions of DuckDB that a user calls by name, one JSON array a line.

    pip install duckdb==2.0.0
    python functions.py > functions.jsonl

A line is [name, kind, description, example, signatures], a signature is [parameters, types, return type]. Left out:
operators, pragmas, functions of PostgreSQL's catalog, and what DuckDB keeps for itself.
"""

import json
import re
import sys

import duckdb

ROWS = """
    SELECT function_name, function_type, description, examples[1], parameters, parameter_types, varargs, return_type
    FROM duckdb_functions()
    WHERE schema_name = 'main' AND function_type <> 'pragma'
    ORDER BY function_name, function_oid, parameter_types
"""
INTERNAL = re.compile(r"^(__|pg_|pragma_|test_|sql_auto_complete|.*_internal|sniff_|icu_)|^(.*~.*)$")
# Written like functions, but part of the grammar.
GRAMMAR = [
    ["cast", "Converts a value to a type; an error if that fails.", "cast('3' AS INTEGER)", [["value AS type"], ["ANY"], "ANY"]],
    ["coalesce", "The first of the values that is not NULL.", "coalesce(NULL, 2)", [["value", "..."], ["ANY", "ANY"], "ANY"]],
    ["columns", "Every column whose name matches: an expression for each.", "min(COLUMNS('.*_ms'))", [["pattern"], ["VARCHAR"], "ANY"]],
    ["exists", "Whether a subquery has rows.", "EXISTS (FROM spans)", [["subquery"], ["ANY"], "BOOLEAN"]],
    ["extract", "One part of a date or time.", "extract(hour FROM ts)", [["part FROM timestamp"], ["ANY"], "BIGINT"]],
    ["ifnull", "The second value where the first is NULL.", "ifnull(NULL, 2)", [["value", "otherwise"], ["ANY", "ANY"], "ANY"]],
    ["struct_pack", "A struct of named values.", "struct_pack(a := 1)", [["name := value", "..."], ["ANY", "ANY"], "STRUCT"]],
    ["try", "NULL where the expression fails.", "try(log(0))", [["expression"], ["ANY"], "ANY"]],
    ["try_cast", "Converts a value to a type; NULL if that fails.", "try_cast('x' AS INTEGER)", [["value AS type"], ["ANY"], "ANY"]],
]
# An overload for every type of number says nothing: so many of them are kept.
MOST_SIGNATURES = 6


def main():
    connection = duckdb.connect()
    functions = {}
    for name, kind, description, example, parameters, types, varargs, result in connection.execute(ROWS).fetchall():
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or INTERNAL.search(name):
            continue
        entry = functions.setdefault(name, [name, kind.replace("macro", "scalar").replace("table_scalar", "table"), "", "", []])
        entry[2] = entry[2] or (description or "").strip()
        entry[3] = entry[3] or (example or "").strip()
        # A table function's options come after its first argument, and are named in the call.
        most = 8 if kind == "table" else 20
        types = [kind or "" for kind in types][:most]
        parameters = list(parameters)[:most]
        if varargs:
            parameters.append("...")
            types.append(varargs)
        signature = [parameters, types, result or ""]
        same_names = [s for s in entry[4] if s[0] == parameters]
        if signature not in entry[4] and len(entry[4]) < MOST_SIGNATURES and len(same_names) < 3:
            entry[4].append(signature)
    for name, description, example, signature in GRAMMAR:
        functions.setdefault(name, [name, "scalar", description, example, [signature]])
    for _, entry in sorted(functions.items()):
        json.dump(entry, sys.stdout, ensure_ascii=False, separators=(",", ":"))
        print()


main()
