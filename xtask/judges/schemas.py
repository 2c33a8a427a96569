"""usage: schemas.py SCHEMAS RULES

Validates every rule, chain and filter below RULES against the official JSON schemas. Says how many of
each kind it saw, and every mistake; 1 when there is one.
"""

import json
import sys
from pathlib import Path

import jsonschema
import yaml

KINDS = {
    "correlation": "sigma-correlation-rules-schema.json",
    "filter": "sigma-filters-schema.json",
    "detection": "sigma-detection-rule-schema.json",
}


class AsJson(yaml.SafeLoader):
    """YAML as JSON has it: a date is text."""


AsJson.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def main() -> int:
    schemas, rules = map(Path, sys.argv[1:])
    validators = {}
    for kind, name in KINDS.items():
        schema = json.loads((schemas / name).read_text())
        checker = jsonschema.validators.validator_for(schema)
        checker.check_schema(schema)
        validators[kind] = checker(schema, format_checker=checker.FORMAT_CHECKER)
    seen = dict.fromkeys(KINDS, 0)
    wrong = 0
    for path in sorted(rules.rglob("*.yml")):
        for document in yaml.load_all(path.read_text(), AsJson):
            kind = next((kind for kind in KINDS if kind in document), "detection")
            seen[kind] += 1
            for error in validators[kind].iter_errors(document):
                wrong += 1
                print(f"{path.relative_to(rules)}: {error.json_path}: {error.message}")
    print(json.dumps(seen))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
