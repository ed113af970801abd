"""Writes renamed.jsonl: attributes that OpenTelemetry renamed, one [old name, new name] a line.

    git clone https://github.com/open-telemetry/semantic-conventions
    pip install pyyaml
    python renamed.py semantic-conventions > renamed.jsonl
"""

import json
import pathlib
import sys

import yaml

# Renamed before the file of old names began, or in a repository of its own.
ELSEWHERE = {
    "code.function": "code.function.name",
    "gen_ai.system": "gen_ai.provider.name",
    "gen_ai.usage.completion_tokens": "gen_ai.usage.output_tokens",
    "gen_ai.usage.prompt_tokens": "gen_ai.usage.input_tokens",
}

def main():
    renamed = dict(ELSEWHERE)
    for file in sorted(pathlib.Path(sys.argv[1], "model").rglob("*.yaml")):
        content = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
        lists = content.get("groups", []) + [content]
        for attribute in (attribute for group in lists for attribute in group.get("attributes") or []):
            deprecated = attribute.get("deprecated")
            name = attribute.get("id") or attribute.get("key")
            # Names such as "state" mean too many other things.
            if name and name.count(".") and name != "pool.name" and isinstance(deprecated, dict) and deprecated.get("renamed_to"):
                renamed[name] = deprecated["renamed_to"]
    for old in sorted(renamed):
        # Some were renamed more than once.
        new = renamed[old]
        while new in renamed:
            new = renamed[new]
        print(json.dumps([old, new], separators=(",", ":")))


main()
