"""usage: sqlite.py CORPUS RULES

Has pySigma turn every rule, filter and chain below RULES into SQL, asks SQLite that about the events of
CORPUS, and compares with what CORPUS says pkgwarden found. Prints a JSON object with the counts, what
could not be asked, and what differs.

CORPUS has a JSON object a line. An event: {"capture", "time" (seconds), "category", "fields", "hits":
[{"rule", "suppressed_by"}]}. A chain that was found: {"capture", "chain", "session"}.
"""

import json
import re
import sqlite3
import sys
from collections import defaultdict
from pathlib import Path

from sigma.backends.sqlite import sqliteBackend
from sigma.collection import SigmaCollection
from sigma.correlations import SigmaCorrelationRule
from sigma.exceptions import SigmaError
from sigma.filters import SigmaFilter
from sigma.processing.conditions import LogsourceCondition
from sigma.processing.pipeline import ProcessingItem, ProcessingPipeline
from sigma.processing.transformations import AddConditionTransformation

CATEGORY = "EventCategory"


def events_and_chains(path: Path):
    events, chains = [], defaultdict(set)
    for line in path.read_text().splitlines():
        record = json.loads(line)
        if "chain" in record:
            chains[record["chain"]].add(f'{record["capture"]} {record["session"]}')
        else:
            events.append(record)
    return events, chains


def pipeline(categories) -> ProcessingPipeline:
    """A rule is asked about its own category only."""
    return ProcessingPipeline(
        items=[
            ProcessingItem(
                transformation=AddConditionTransformation({CATEGORY: category}),
                rule_conditions=[LogsourceCondition(category=category)],
            )
            for category in sorted(categories)
        ]
    )


def load(files: list[Path], with_filters: bool):
    """All rules and chains. pySigma joins the filters to the rules that they name."""
    texts = [path.read_text() for path in files]
    if not with_filters:
        texts = [text for text in texts if not re.search(r"^filter:", text, re.M)]
    return SigmaCollection.from_yaml("\n---\n".join(texts))


def database(events) -> sqlite3.Connection:
    names = sorted({name for event in events for name in event["fields"]})
    sql = sqlite3.connect(":memory:")
    # Sigma's regular expressions look anywhere in the text, and mind the case.
    sql.create_function(
        "regexp", 2, lambda pattern, text: text is not None and re.search(pattern, str(text)) is not None
    )
    columns = ", ".join(f"`{name}`" for name in [CATEGORY, "timestamp", *names])
    sql.execute(f"CREATE TABLE logs (event INTEGER PRIMARY KEY, {columns})")
    for number, event in enumerate(events):
        fields = dict(event["fields"])
        # Each capture is a machine of its own.
        if "SessionId" in fields:
            fields["SessionId"] = f'{event["capture"]} {fields["SessionId"]}'
        row = [number, event["category"], event["time"], *map(fields.get, names)]
        sql.execute(f"INSERT INTO logs VALUES ({', '.join('?' * len(row))})", row)
    return sql


def add_columns(sql, query: str):
    """Runs the query; fields that no event of the corpus has become columns without a value."""
    while True:
        try:
            return sql.execute(query)
        except sqlite3.OperationalError as error:
            missing = re.fullmatch(r"no such column: (\w+)", str(error))
            if not missing:
                raise
            sql.execute(f"ALTER TABLE logs ADD COLUMN `{missing[1]}`")


def compared(sql, backend, collection, expected, differ, not_asked) -> int:
    hits = 0
    for rule in collection.rules:
        if isinstance(rule, (SigmaCorrelationRule, SigmaFilter)):
            continue
        try:
            queries = backend.convert_rule(rule)
        except (SigmaError, NotImplementedError) as error:
            not_asked[rule.title] = str(error)
            continue
        # Of a rule that is a link of a chain it keeps the bare condition.
        queries = queries or [f"SELECT * FROM logs WHERE {query}" for query in rule.get_conversion_result()]
        found = set()
        for query in queries:
            found |= {row[0] for row in add_columns(sql, query)}
        known = expected[str(rule.id)]
        hits += len(found)
        if found != known:
            differ.append(
                {"rule": rule.title, "only SQLite": sorted(found - known), "only pkgwarden": sorted(known - found)}
            )
    return hits


def chains_compared(sql, backend, collection, expected, differ, not_asked) -> int:
    hits = 0
    for rule in collection.rules:
        if not isinstance(rule, SigmaCorrelationRule):
            continue
        try:
            (converted,) = backend.convert_correlation_rule(rule, "zircolite")
        except (SigmaError, NotImplementedError, ValueError) as error:
            not_asked[rule.title] = str(error)
            continue
        # Step by step: as one statement a chain of many links needs gigabytes.
        plan = converted["correlation_plan"]
        for step in plan["prepare"]:
            add_columns(sql, f'CREATE TEMP TABLE {step["name"]} AS {step["select"]}')
        rows = add_columns(sql, plan["query"])
        column = [name[0] for name in rows.description].index("group_keys")
        # Groups are compared without case.
        found = {json.loads(row[column])["SessionId"].lower() for row in rows}
        known = {group.lower() for group in expected[str(rule.id)]}
        hits += len(found)
        if found != known:
            differ.append(
                {"chain": rule.title, "only SQLite": sorted(found - known), "only pkgwarden": sorted(known - found)}
            )
    return hits


def main() -> int:
    corpus, rules = map(Path, sys.argv[1:])
    events, chains = events_and_chains(corpus)
    all_hits, open_hits = defaultdict(set), defaultdict(set)
    for number, event in enumerate(events):
        for hit in event["hits"]:
            all_hits[hit["rule"]].add(number)
            if hit["suppressed_by"] is None:
                open_hits[hit["rule"]].add(number)
    files = sorted(rules.rglob("*.yml"))
    differ, not_asked = [], {}
    sql = database(events)
    categories = {event["category"] for event in events}
    outcome = {"events": len(events)}
    for name, with_filters, expected in (("before filters", False, all_hits), ("after filters", True, open_hits)):
        collection = load(files, with_filters)
        backend = sqliteBackend(pipeline(categories), collate_nocase=True, timestamp_format="unix")
        collection.resolve_rule_references()
        outcome[name] = compared(sql, backend, collection, expected, differ, not_asked)
        if with_filters:
            outcome["chains"] = chains_compared(sql, backend, collection, chains, differ, not_asked)
    outcome["rules"] = sum(not isinstance(r, (SigmaCorrelationRule, SigmaFilter)) for r in collection.rules)
    outcome["not asked"] = not_asked
    outcome["differ"] = differ
    print(json.dumps(outcome, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
