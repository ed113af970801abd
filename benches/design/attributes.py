"""Question: as what type are attributes stored, and which storage version compresses them best?"""

from __future__ import annotations

import time

import duckdb

import spans
from bench import Bench, Table, connect, megabytes, memory, milliseconds, seconds

TEXT = "SELECT trace_id, name, start_time, attributes FROM source.full_spans"
PROMOTED = (
    "SELECT *, attributes->>'task_id' AS task_id, attributes->>'correlation_id' AS correlation_id,"
    " attributes->>'agent.name' AS agent_name, attributes->>'module' AS module"
)
# Variant → (what to store, a key's text, the keys of a row, the whole row as JSON text)
VARIANTS = {
    "JSON": (TEXT, "attributes->>'{}'", "json_keys(attributes)", "attributes::VARCHAR"),
    "JSON, zstd": (TEXT, "attributes->>'{}'", "json_keys(attributes)", "attributes::VARCHAR"),
    "JSON, zstd + promoted columns": (
        f"{PROMOTED} FROM ({TEXT})",
        None,
        "json_keys(attributes)",
        "attributes::VARCHAR",
    ),
    "MAP(VARCHAR, VARCHAR)": (
        TEXT.replace("attributes", "attributes::MAP(VARCHAR, VARCHAR) AS attributes"),
        "attributes['{}']",
        "map_keys(attributes)",
        "to_json(attributes)::VARCHAR",
    ),
    "VARIANT": (
        TEXT.replace("attributes", "attributes::VARIANT AS attributes"),
        "attributes['{}']::VARCHAR",
        "variant_keys(attributes)",
        "attributes::JSON::VARCHAR",
    ),
    "JSON + VARIANT beside it": (
        TEXT.replace("attributes", "attributes, attributes::VARIANT AS fields"),
        "fields['{}']::VARCHAR",
        "variant_keys(fields)",
        "attributes::VARCHAR",
    ),
}
PROMOTED_KEYS = {"task_id": "task_id", "agent.name": "agent_name"}

# Storage version → DDL of the JSON column; None: as the version chooses by itself.
STORAGE = {
    "v1.0.0": ("v1.0.0", ""),
    "v1.2.0": ("v1.2.0", ""),
    "v1.5.0": ("v1.5.0", ""),
    "latest": ("latest", ""),
    "latest, column USING COMPRESSION zstd": ("latest", "USING COMPRESSION zstd"),
    "latest, column USING COMPRESSION dict_fsst": ("latest", "USING COMPRESSION dict_fsst"),
}

DOCUMENTS = [
    '{"z":1,"a":2}', '{"n":1.0}', '{"n":1e3}', '{"n":0.1000}', '{"n":12345678901234567890123}', '{"n":1e400}',
    '{"b":1,"b":2}', '{ "spaced" : null }', r'{"escaped":"\u00e9"}', '{"deep":{"y":[1,null,"s",true]}}',
]  # fmt: skip


def make(path: str, sample: str, rows: int) -> float:
    """The full rows, once, in a file that every variant loads from. Their average length."""
    con = connect(path)
    spans.make_full(con, sample, "full_spans", rows)
    con.execute("CHECKPOINT")
    return con.execute("SELECT avg(length(attributes::VARCHAR)) FROM full_spans").fetchone()[0]


def _recreate_with_zstd(con: duckdb.DuckDBPyConnection) -> None:
    (sql,) = con.execute("SELECT sql FROM duckdb_tables() WHERE table_name = 'spans'").fetchone()
    con.execute("DROP TABLE spans")
    con.execute(sql.replace("attributes JSON", "attributes JSON USING COMPRESSION zstd"))


def variant(path: str, source: str, name: str) -> list:
    """Loads one variant, then filters, groups, lists the keys and reads rows back."""
    rows, key, keys, whole = VARIANTS[name]
    con = connect(memory_limit="2GB")
    con.execute(
        f"ATTACH '{path}' AS store (STORAGE_VERSION 'latest'); ATTACH '{source}' AS source (READ_ONLY); USE store"
    )
    (count,) = con.execute("SELECT count(*) FROM source.full_spans").fetchone()
    con.execute(f"CREATE TABLE spans AS {rows} LIMIT 0")
    if "zstd" in name:
        _recreate_with_zstd(con)
    took = seconds(con, f"INSERT INTO spans {rows}", "CHECKPOINT store")
    # One value among many: of a span in the middle.
    (task,) = con.execute(
        f"SELECT attributes->>'task_id' FROM source.full_spans WHERE rowid >= {count // 2} AND attributes->>'task_id' IS NOT NULL LIMIT 1"
    ).fetchone()

    def field(text: str) -> str:
        return key.format(text) if key else f'"{PROMOTED_KEYS[text]}"'

    times = [
        milliseconds(con, f"SELECT count(*) FROM spans WHERE {field('task_id')} = '{task}'", 3),
        milliseconds(con, f"SELECT {field('agent.name')}, count(*) FROM spans GROUP BY ALL", 3),
        milliseconds(con, f"SELECT key, count(*) FROM (SELECT unnest({keys}) AS key FROM spans) GROUP BY ALL", 1),
    ]
    thousand = f"SELECT {whole} FROM spans WHERE rowid BETWEEN {count // 2} AND {count // 2 + 999}"
    times.append(milliseconds(con, thousand, 3))
    back = [row[0] for row in con.execute(thousand + " ORDER BY rowid").fetchall()]
    stored = con.execute(
        f"SELECT attributes::VARCHAR FROM source.full_spans WHERE rowid BETWEEN {count // 2} AND {count // 2 + 999} ORDER BY rowid"
    ).fetchall()
    same = sum(text == before for text, (before,) in zip(back, stored, strict=True))
    return [count / took, megabytes(path), *times, f"{same} of {len(stored)}", memory("VmHWM")]


def mixed(name: str, rows: int) -> list:
    """One key that holds numbers, texts and objects in turn."""
    con = connect(memory_limit="2GB")
    value = """CASE i % 3 WHEN 0 THEN '7' WHEN 1 THEN '"text' || i || '"' ELSE '{"x":' || i || '}' END"""
    source = f"""SELECT ('{{"same":' || i % 9 || ',"mixed":' || {value} || ',"k' || hash(i) % 1000 || '":1}}')::JSON AS attributes FROM range({rows}) r(i)"""
    kind = {"JSON": "JSON", "MAP(VARCHAR, VARCHAR)": "MAP(VARCHAR, VARCHAR)", "VARIANT": "VARIANT"}[name]
    con.execute(f"CREATE TABLE m AS SELECT attributes::{kind} AS attributes FROM ({source})")
    key = VARIANTS[name][1]
    asked = [(key.format("same"), "7"), (key.format("mixed"), "text1"), (key.format("k77"), "1")]
    return [name, *[milliseconds(con, f"SELECT count(*) FROM m WHERE {field} = '{text}'", 3) for field, text in asked]]


def documents(name: str) -> list[str]:
    """What comes back of documents that test a type's faithfulness."""
    con, back = connect(), []
    kind = {"JSON": "JSON", "MAP(VARCHAR, VARCHAR)": "MAP(VARCHAR, VARCHAR)", "VARIANT": "VARIANT"}[name]
    for document in DOCUMENTS:
        try:
            (text,) = con.execute(
                f"SELECT {VARIANTS[name][3]} FROM (SELECT ($1::JSON)::{kind} AS attributes)", [document]
            ).fetchone()
            back.append("same" if text == document else f"`{text}`")
        except duckdb.Error as error:
            back.append(type(error).__name__)
    return back


def storage(path: str, source: str, name: str) -> list:
    """The rows as JSON text under one storage version."""
    version, compression = STORAGE[name]
    con = connect(memory_limit="2GB")
    con.execute(
        f"ATTACH '{path}' AS store (STORAGE_VERSION '{version}'); ATTACH '{source}' AS source (READ_ONLY); USE store"
    )
    con.execute(
        f"CREATE TABLE spans (trace_id VARCHAR, name VARCHAR, start_time BIGINT, attributes JSON {compression})"
    )
    (count,) = con.execute("SELECT count(*) FROM source.full_spans").fetchone()
    took = seconds(con, f"INSERT INTO spans {TEXT}", "CHECKPOINT store")
    used = con.execute(
        """SELECT string_agg(compression || ' ' || segments, ', ') FROM (SELECT compression, count(*) AS segments
        FROM pragma_storage_info('spans') WHERE column_name = 'attributes' AND segment_type <> 'VALIDITY' GROUP BY 1 ORDER BY 2 DESC)"""
    ).fetchone()[0]
    times = [
        milliseconds(con, "SELECT sum(length(attributes::VARCHAR)) FROM spans", 3),
        milliseconds(con, "SELECT count(*) FROM spans WHERE attributes->>'task_id' = 'x'", 3),
        milliseconds(con, f"SELECT * FROM spans WHERE rowid BETWEEN {count // 2} AND {count // 2 + 39}", 5),
        milliseconds(con, f"SELECT attributes::VARCHAR FROM spans WHERE rowid % {count // 100} = 0", 3),
    ]
    return [name, count / took, megabytes(path), *times, used]


def lean_storage(path: str, compression: str, rows: int) -> list:
    """Short attributes: does the compression that suits long ones harm?"""
    con = connect(path)
    con.execute(f"CREATE TABLE spans ({spans.COLUMNS.replace('attributes JSON', f'attributes JSON {compression}')})")
    took = 0.0
    for first in range(0, rows, 100_000):
        con.execute(f"CREATE OR REPLACE TEMP TABLE batch AS {spans.lean(first, min(first + 100_000, rows), rows)}")
        took += seconds(con, "INSERT INTO spans FROM batch")
    took += seconds(con, "CHECKPOINT")
    middle = rows // 2
    times = [
        milliseconds(con, "SELECT count(*) FROM spans WHERE attributes->>'task_id' = 'x'", 3),
        milliseconds(con, f"SELECT * FROM spans WHERE rowid BETWEEN {middle} AND {middle + 39}", 5),
        milliseconds(con, "SELECT operation_id, count(*), avg(duration_ms) FROM spans GROUP BY ALL", 3),
    ]
    return [compression or "automatic", rows / took, megabytes(path), *times]


def long_text(path: str) -> list[list]:
    """Texts of up to 16 MB among short ones in a zstd column: do they come back?"""
    con = connect(path)
    con.execute("CREATE TABLE long (nth BIGINT, attributes JSON USING COMPRESSION zstd)")
    con.execute("INSERT INTO long SELECT i, ('{\"i\":' || i || '}')::JSON FROM range(5000) r(i)")
    found = []
    for size in (100_000, 1_000_000, 16_000_000):
        text = "SELECT '{\"a\":\"' || string_agg(md5(i::VARCHAR), '') || '\"}' FROM range(" + str(size // 32) + ") r(i)"
        took = seconds(con, f"INSERT INTO long SELECT {size}, ({text})::JSON", "CHECKPOINT")
        started = time.perf_counter()
        (same,) = con.execute(f"SELECT attributes::VARCHAR = ({text}) FROM long WHERE nth = {size}").fetchone()
        found.append([size, took, (time.perf_counter() - started) * 1000, "yes" if same else "NO"])
    return found


def measure(bench: Bench) -> list[Table]:
    """Types, faithfulness, mixed keys, storage versions."""
    source = bench.file("full.duckdb")
    average = bench.alone(make, source, spans.real(bench.sample, bench.scratch), bench.full_rows)
    types = Table(
        f"Attributes of {bench.full_rows:,} rows, {average:,.0f} characters each",
        [
            "stored as",
            "rows/s",
            "file MB",
            "filter by a key ms",
            "group by a key ms",
            "all keys ms",
            "1,000 rows ms",
            "same text",
            "highest RSS MiB",
        ],
    )
    for name in VARIANTS:
        types.rows.append([name, *bench.alone(variant, bench.file("type.duckdb"), source, name)])
    bench.file("type.duckdb")
    plain = ["JSON", "MAP(VARCHAR, VARCHAR)", "VARIANT"]
    back = [bench.alone(documents, name) for name in plain]
    faith = Table(
        "What comes back",
        ["document", *plain],
        [[f"`{text}`", *rest] for text, *rest in zip(DOCUMENTS, *back, strict=True)],
    )
    rows = min(bench.rows, 300_000)
    cliff = Table(
        f"{rows:,} rows of three keys, in memory: filter by one key",
        ["stored as", "one type ms", "mixed types ms", "one of 1,000 rare keys ms"],
        [bench.alone(mixed, name, rows) for name in plain],
    )
    versions = Table(
        "JSON text by storage version",
        [
            "STORAGE_VERSION",
            "rows/s",
            "file MB",
            "all text ms",
            "filter by a key ms",
            "40 rows ms",
            "100 scattered rows ms",
            "segments by compression",
        ],
        [bench.alone(storage, bench.file("version.duckdb"), source, name) for name in STORAGE],
    )
    lean_rows = min(bench.rows, 1_000_000)
    lean = Table(
        f"{lean_rows:,} lean rows, storage version of new files",
        ["compression of attributes", "rows/s", "file MB", "filter by a key ms", "40 rows ms", "all by id ms"],
        [
            bench.alone(lean_storage, bench.file("version.duckdb"), compression, lean_rows)
            for compression in ("", "USING COMPRESSION zstd", "USING COMPRESSION dict_fsst")
        ],
    )
    long = Table(
        "Long texts in a zstd column",
        ["bytes", "stored in s", "read in ms", "same"],
        bench.alone(long_text, bench.file("version.duckdb")),
    )
    bench.file("version.duckdb")
    bench.file("full.duckdb")
    return [types, faith, cliff, versions, lean, long]
