"""Question: what does a level of a recursive query cost, and is pointer doubling possible and worth it?"""

from __future__ import annotations

from bench import Bench, Table, connect, milliseconds

# Shape → parent of row i.
SHAPES = {
    "chain of 1,000": (1_000, "i - 1"),
    "100,000 rows, a chain of 1,000 among them": (100_000, "CASE WHEN i < 1000 THEN i - 1 ELSE i % 1000 END"),
    "100,000 rows, ten children each": (100_000, "(i - 1) // 10"),
    "100,000 rows, three levels": (100_000, "CASE WHEN i <= 1000 THEN 0 ELSE i % 1000 + 1 END"),
    "chain of 10,000": (10_000, "i - 1"),
}
PLAIN = """WITH RECURSIVE w AS (SELECT id, parent, 0 AS depth FROM {t} WHERE parent IS NULL
    UNION ALL SELECT s.id, s.parent, w.depth + 1 FROM w JOIN {t} s ON s.parent = w.id) """
KEYED = """WITH RECURSIVE w(id, parent, depth) USING KEY (id) AS (SELECT id, parent, 0 FROM {t} WHERE parent IS NULL
    UNION SELECT s.id, s.parent, w.depth + 1 FROM w JOIN {t} s ON s.parent = w.id) """
# The recursive table twice: each row's ancestor jumps twice as far in every round.
TWICE = """WITH RECURSIVE w(id, ancestor, depth, round) AS (
    SELECT id, coalesce(parent, id), (parent IS NOT NULL)::INT, 0 FROM {t}
    UNION ALL SELECT a.id, b.ancestor, a.depth + b.depth, a.round + 1 FROM w a JOIN w b ON a.ancestor = b.id WHERE a.round < {rounds}) """
JUMPS = """WITH RECURSIVE w(id, ancestor, depth) USING KEY (id) AS (
    SELECT id, coalesce(parent, id), (parent IS NOT NULL)::INT FROM {t}
    UNION SELECT a.id, b.ancestor, a.depth + b.depth FROM w a JOIN recurring.w b ON a.ancestor = b.id WHERE a.ancestor <> b.ancestor) """
QUERIES = {
    "plain": (PLAIN, "SELECT max(depth), count(*) FROM w"),
    "USING KEY": (KEYED, "SELECT max(depth), count(*) FROM w"),
    "doubling, w twice": (TWICE, "SELECT max(depth), count(*) FROM w WHERE round = {rounds}"),
    "doubling, USING KEY": (JUMPS, "SELECT max(depth), count(*) FROM w"),
}


def ask(shape: str) -> list:
    """Every query over one shape, all of them checked against the plain one's answer."""
    rows, parent = SHAPES[shape]
    con = connect()
    con.execute(
        f"CREATE TABLE tree AS SELECT i AS id, CASE WHEN i > 0 THEN {parent} END AS parent FROM range({rows}) r(i)"
    )
    found, expected = [], None
    for head, tail in QUERIES.values():
        # With 1,024 levels or fewer ten rounds reach every root, with 10,000 levels fourteen.
        sql = (head + tail).format(t="tree", rounds=14 if rows == 10_000 else 10)
        answer = con.execute(sql).fetchone()
        expected = expected or answer
        assert answer == expected, f"{shape}: {answer} instead of {expected}"
        found.append(milliseconds(con, sql, 3))
    return [shape, expected[0], *found, found[0] / (expected[0] + 1)]


def measure(_bench: Bench) -> list[Table]:
    """Each shape in a process of its own."""
    columns = ["tree", "depth", *[name + " ms" for name in QUERIES], "plain, ms a level"]
    return [Table("Depth of every span by recursion", columns, [_bench.alone(ask, shape) for shape in SHAPES])]
