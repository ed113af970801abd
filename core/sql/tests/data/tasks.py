"""Writes tasks.txt from statements.txt: for each wanted item, the statement as it is when its first letters stand there.

    python tasks.py < statements.txt > tasks.txt

Two letters of a word are typed (one of a short one), or the quote and two letters of a literal; none where a dot or a
bracket says enough. In every other task the rest of the statement is there already, as when something is added to it.
"""

import re
import sys


def main():
    number = 0
    for line in sys.stdin:
        line = line.rstrip("\n")
        for match in re.finditer("‹(.*?)›", line):
            wanted = match.group(1)
            letters = min(3, len(wanted) - 1) if wanted.startswith("'") else 1 if len(wanted) < 4 else 2
            after = line[match.end():]
            number += 1
            rest = after if number % 2 else ""
            plain = (line[: match.start()] + wanted[:letters] + "$0" + rest).replace("‹", "").replace("›", "")
            print(f"{wanted}\t{plain}")


main()
