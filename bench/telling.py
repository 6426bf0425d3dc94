"""What a side says when it is done. Only the standard library: sides run in the environments of peers, too."""

import json
import sys
from collections.abc import Mapping


def tell(seconds: float, answer: Mapping[str, object]) -> None:
    """The last line of a side's standard output: seconds of the work, and what to hold against the other sides.

    Said on the standard output that the process was given: some libraries put a log in its place.
    """
    print(json.dumps({"seconds": seconds, "answer": dict(answer)}), file=sys.__stdout__, flush=True)
