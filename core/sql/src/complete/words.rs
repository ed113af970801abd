//! How often columns and functions are wanted, and what may follow what. The figures only order the candidates.

/// Columns of `spans` that most questions are about, the most wanted first.
const COLUMNS: &[&str] = &[
    "service", "duration_ms", "operation", "name", "status_code", "trace_id", "agent", "attributes", "start_time",
    "span_id", "parent_id", "end_time", "exception_type", "exception_message", "correlation_id", "module", "events",
    "class", "function", "workflow_name", "status_description", "resource", "task_id", "gen_ai_model",
    "gen_ai_input_tokens", "gen_ai_output_tokens", "gen_ai_cost", "kind",
];

/// How much a column is wanted, 600 to 950.
pub(super) fn column(relation: Option<&str>, name: &str, place: usize) -> i32 {
    let place = i32::try_from(place.min(100)).unwrap_or(100);
    match relation {
        Some("spans") => match COLUMNS.iter().position(|wanted| *wanted == name) {
            Some(rank) => 950 - 5 * i32::try_from(rank).unwrap_or(0),
            None => 700 - place,
        },
        // The columns of a macro or a query were chosen by somebody: all of them are wanted.
        _ => 940 - 3 * place,
    }
}

const FUNCTIONS: &[(&str, i32)] = &[
    ("count", 938), ("avg", 926), ("sum", 922), ("max", 918), ("min", 916), ("quantile_cont", 896), ("round", 890),
    ("make_timestamp_ns", 880), ("coalesce", 870), ("date_trunc", 868), ("median", 850), ("arg_max", 848),
    ("row_number", 846), ("list", 842), ("any_value", 838), ("arg_min", 836), ("unnest", 830), ("length", 826),
    ("json_extract_string", 824), ("strftime", 822), ("lower", 815), ("starts_with", 812), ("split_part", 810),
    ("regexp_matches", 808), ("contains", 806), ("string_agg", 804), ("lag", 802), ("lead", 801), ("rank", 800),
    ("dense_rank", 790), ("approx_count_distinct", 788), ("stddev", 786), ("mode", 784), ("histogram", 780),
    ("json_extract", 778), ("json_keys", 776), ("time_bucket", 774), ("to_timestamp", 772), ("now", 770),
    ("epoch_ms", 768), ("epoch_ns", 767), ("list_filter", 766), ("list_transform", 764), ("greatest", 762),
    ("least", 761), ("cast", 760), ("try_cast", 758), ("exists", 756), ("extract", 754), ("substr", 752),
    ("replace", 751), ("regexp_extract", 750), ("upper", 748), ("nullif", 746), ("if", 744), ("concat", 742),
    ("first", 740), ("last", 738), ("ntile", 736), ("first_value", 734), ("last_value", 733), ("json_type", 730),
    ("json_array_length", 728), ("list_contains", 726), ("len", 724), ("abs", 722), ("floor", 720), ("ceil", 718),
    ("sqrt", 716), ("ln", 714), ("make_timestamp", 712), ("list_sort", 710), ("array_agg", 708), ("max_by", 706),
    ("min_by", 705), ("bool_or", 704), ("bool_and", 703), ("count_if", 702), ("range", 700), ("generate_series", 698),
    ("current_date", 696), ("today", 695), ("age", 694), ("date_diff", 693), ("date_part", 692), ("hour", 690),
    ("trim", 688), ("ifnull", 686), ("percent_rank", 684), ("cume_dist", 682), ("quantile_disc", 680),
    ("approx_quantile", 678), ("columns", 676), ("struct_pack", 674), ("map_entries", 672), ("json_value", 670),
    ("format", 668), ("printf", 667), ("bar", 666),
];

/// How much a function is wanted; `None` for those that only show once a letter is typed.
pub(super) fn function(name: &str) -> Option<i32> {
    FUNCTIONS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, score)| *score)
}

/// Types that a value is cast to.
pub(super) const TYPES: &[&str] = &[
    "VARCHAR", "BIGINT", "DOUBLE", "INTEGER", "BOOLEAN", "JSON", "TIMESTAMP", "DATE", "TIMESTAMPTZ", "TIMESTAMP_NS",
    "TIME", "INTERVAL", "DECIMAL", "HUGEINT", "UBIGINT", "FLOAT", "SMALLINT", "TINYINT", "UINTEGER", "UUID", "BLOB",
    "TIMESTAMP_MS", "TIMESTAMP_S", "VARIANT",
];

/// What `date_trunc` and the like take.
pub(super) const DATE_PARTS: &[&str] = &[
    "hour", "minute", "day", "second", "week", "month", "year", "quarter", "millisecond", "microsecond", "epoch",
    "dow", "doy", "isodow", "decade", "century",
];

/// What a statement can begin with.
pub(super) const STATEMENTS: &[(&str, i32)] = &[
    ("SELECT", 950), ("FROM", 940), ("WITH", 930), ("DESCRIBE", 800), ("SUMMARIZE", 790), ("EXPLAIN", 780),
    ("EXPLAIN ANALYZE", 770), ("PIVOT", 700), ("UNPIVOT", 690), ("SHOW TABLES", 680), ("VALUES", 600),
    ("CREATE TABLE", 590), ("CREATE VIEW", 585), ("CREATE TEMP TABLE", 580), ("CREATE MACRO", 575), ("COPY", 570),
    ("INSERT INTO", 560), ("UPDATE", 550), ("DELETE FROM", 540), ("DROP TABLE", 530), ("ATTACH", 520), ("SET", 510),
    ("PRAGMA", 500), ("CALL", 490), ("LOAD", 480), ("INSTALL", 470),
];

/// Operators in words, after an operand.
pub(super) const OPERATORS: &[(&str, i32)] = &[
    ("AND", 900), ("OR", 840), ("IS NOT NULL", 840), ("IS NULL", 835), ("IN", 830), ("LIKE", 825), ("BETWEEN", 810),
    ("NOT IN", 800), ("ILIKE", 790), ("NOT LIKE", 780), ("IS DISTINCT FROM", 700), ("IS NOT DISTINCT FROM", 690),
    ("NOT BETWEEN", 680), ("NOT ILIKE", 670), ("SIMILAR TO", 600), ("GLOB", 590), ("COLLATE", 500),
];

/// Joins, after a table.
pub(super) const JOINS: &[(&str, i32)] = &[
    ("JOIN", 880), ("LEFT JOIN", 870), ("ASOF JOIN", 800), ("CROSS JOIN", 795), ("INNER JOIN", 790),
    ("FULL JOIN", 785), ("SEMI JOIN", 780), ("ANTI JOIN", 775), ("RIGHT JOIN", 770), ("POSITIONAL JOIN", 700),
    ("NATURAL JOIN", 695), ("ASOF LEFT JOIN", 690), ("LEFT OUTER JOIN", 500), ("JOIN LATERAL", 490),
];

/// What a second word completes, by the words before it.
pub(super) fn continuation(words: &[&str]) -> Option<&'static [&'static str]> {
    let lower: Vec<String> = words.iter().map(|word| word.to_ascii_lowercase()).collect();
    let last = lower.last()?.as_str();
    let before = lower.len().checked_sub(2).and_then(|at| lower.get(at)).map_or("", String::as_str);
    Some(match (before, last) {
        (_, "group" | "order" | "partition") => &["BY"],
        ("is", "not") => &["NULL", "DISTINCT FROM", "TRUE", "FALSE"],
        ("as", "not") => &["MATERIALIZED"],
        (_, "is") => &["NOT NULL", "NULL", "DISTINCT FROM", "NOT DISTINCT FROM", "TRUE", "FALSE"],
        (_, "nulls") => &["LAST", "FIRST"],
        ("union", "all") | ("union" | "all", "name") => &["SELECT", "FROM"],
        ("union", "by") | ("all", "by") => &["NAME"],
        (_, "union") => &["ALL", "BY NAME", "ALL BY NAME", "SELECT", "FROM"],
        (_, "intersect" | "except") => &["SELECT", "FROM", "ALL"],
        (_, "left" | "right" | "full") => &["JOIN", "OUTER JOIN"],
        (_, "inner" | "cross" | "semi" | "anti" | "positional" | "outer") => &["JOIN"],
        (_, "asof") => &["JOIN", "LEFT JOIN"],
        (_, "natural") => &["JOIN", "LEFT JOIN"],
        (_, "insert") => &["INTO"],
        (_, "delete") => &["FROM"],
        (_, "create") => &["TABLE", "VIEW", "OR REPLACE TABLE", "OR REPLACE VIEW", "OR REPLACE MACRO", "TEMP TABLE", "MACRO"],
        ("create", "or") => &["REPLACE"],
        ("or", "replace") => &["TABLE", "VIEW", "MACRO", "TEMP TABLE"],
        (_, "explain") => &["ANALYZE", "SELECT", "FROM", "WITH"],
        ("explain", "analyze") => &["SELECT", "FROM", "WITH"],
        (_, "recursive") => &[],
        (_, "within") => &["GROUP"],
        (_, "similar") => &["TO"],
        _ => return None,
    })
}
