"""Our side: chunks of the production query on the staged store, one after the other in one process.

`python -m bench.embedded.ours TELEMETRY STORE COUNT CHUNK ...`; the store is staged.
"""

import sys
import time
from pathlib import Path

from bench.embedded.answers import told
from bench.embedded.asking import question
from bench.telling import tell
from sft_pipeline.clients.kusto.embedded import EmbeddedKusto

kusto = EmbeddedKusto(Path(sys.argv[1]), store=Path(sys.argv[2]))
seconds: list[float] = []
answers: list[dict[str, int | str]] = []
for chunk in sys.argv[4:]:
    query, parameters = question(int(chunk), int(sys.argv[3]))
    started = time.perf_counter()
    answer = kusto.execute(query, parameters)
    seconds.append(time.perf_counter() - started)
    answers.append(told(answer))
tell(sum(seconds), {"seconds": seconds, "answers": answers})
