"""Print the raw event schema as JSON: what `check.js` reads on its standard input."""

import json
import sys

from sft_pipeline.telemetry.events import KUSTO_SCHEMA, TABLE

if __name__ == "__main__":
    sys.stdout.write(json.dumps({TABLE: KUSTO_SCHEMA}))
