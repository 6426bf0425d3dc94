"""bespokelabs-curator in batch mode, against the same local service. `... URL REQUESTS ASKING FOLDER`.

`curator.LLM(batch=True)` with the service as `base_url`: it makes the files, sends them, waits, asks again for what
expired, and makes a dataset of the answers. It keeps requests and answers in a working folder and goes on there after
a crash. Its cache over runs, its telemetry, its viewer and its display are off, and its model has no price, which
spares it counting tokens. It takes answers that came twice for two rows, and with `require_all_responses` it fails on
them: that is off, and duplicates are dropped here. It has no budget and no label store, and asks at most once a
second how batches are.
"""

import json
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ |= {
    "CURATOR_DISABLE_CACHE": "1",
    "CURATOR_DISABLE_RICH_DISPLAY": "1",
    "CURATOR_VIEWER": "0",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HOME": sys.argv[4],
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "TELEMETRY_ENABLED": "false",
}

from bespokelabs import curator
from datasets import Dataset, disable_progress_bars

from bench.labels.answers import Clock, tell_labels

BATCH_SIZE = 35_000
"""The service takes 50,000 requests or 200 MB: with these texts the bytes are the limit."""


class Router(curator.LLM):
    """The prompt around a request, and the label of an answer."""

    asking: dict[str, Any]

    def prompt(self, input: dict[str, Any]) -> list[dict[str, str]]:
        user = self.asking["user"].replace("{history}", input["history"]).replace("{request}", input["request"])
        return [{"role": "system", "content": self.asking["system"]}, {"role": "user", "content": user}]

    def parse(self, input: dict[str, Any], response: str) -> list[dict[str, Any]]:
        said = response.strip()
        return [{"requestId": input["requestId"], "label": int(said)}] if said in {"0", "1"} else []


def main(url: str, requests: Path, asking: dict[str, Any], folder: Path) -> None:
    """Dataset to dataset."""
    disable_progress_bars()
    clock = Clock()
    Router.asking = asking
    router = Router(
        model_name=asking["model"],
        batch=True,
        backend="openai",
        generation_params=asking["parameters"],
        backend_params={
            "base_url": url,
            "api_key": "none-needed",
            "batch_size": BATCH_SIZE,
            "batch_check_interval": 1,
            "require_all_responses": False,
        },
    )
    dataset = Dataset.from_parquet(str(requests), columns=["requestId", "request", "history"])
    labels = router(dataset, working_dir=str(folder / "curator")).dataset.to_pandas().drop_duplicates("requestId")
    with (folder / "labels.parquet").open("wb") as file:
        labels[["requestId", "label"]].to_parquet(file)
        file.flush()
        os.fsync(file.fileno())
    took = clock.told()
    tell_labels(took, zip(labels["requestId"], labels["label"].astype(int), strict=True))


if __name__ == "__main__":
    with TemporaryDirectory(dir=sys.argv[4]) as name:
        main(sys.argv[1], Path(sys.argv[2]), json.loads(Path(sys.argv[3]).read_text()), Path(name))
