"""Runs a Flock program and notes every span that it ends, without asking Flock's file.

    python traced_program.py ENDED MODULE [ARGUMENT...]

Runs MODULE as `python -m` would, with one more span processor. It stands behind Flock's own exporter, so it is called
when the exporter has come back: the file ENDED gets a line `span_id end_time now` for each span, the times in
nanoseconds since the epoch, where `now` is the moment from which the span can be read from Flock's file.
"""
import runpy
import sys
import time
from typing import TextIO

import flock  # noqa: F401  (the import sets up tracing, as it does for every Flock program)
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor


class EndedSpans(SpanProcessor):
    """Writes down each span that ended."""

    def __init__(self, ended: TextIO) -> None:
        self.ended = ended

    def on_end(self, span: ReadableSpan) -> None:
        # One write of one line: a program that is killed still leaves whole lines.
        self.ended.write(f"{span.context.span_id:016x} {span.end_time} {time.time_ns()}\n")


def main() -> None:
    ended, module, *arguments = sys.argv[1:]
    with open(ended, "w", buffering=1, encoding="ascii") as lines:
        trace.get_tracer_provider().add_span_processor(EndedSpans(lines))
        sys.argv = [module, *arguments]
        runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
