"""Writes the tracebacks that Python 3.11 makes of `project/shop.py`. To be run in this folder, copied to /srv/shop."""
import asyncio
import sys
import traceback
from pathlib import Path

sys.path.insert(0, "project")
import shop


def record(name, call):
    try:
        call()
    except BaseException as error:
        text = "".join(traceback.format_exception(error))
        Path(f"{name}.txt").write_text(text)


made = shop.Shop()
record("carets", lambda: made.price("tea"))
record("cause", lambda: made.checked(["milk"]))
record("context", lambda: made.twice(["milk"]))
record("recursion", lambda: shop.depth(0))
record("group", lambda: asyncio.run(shop.group()))
Path("project/broken.py").write_text("def f(:\n    pass\n")
record("syntax", lambda: __import__("broken"))
Path("project/broken.py").unlink()
