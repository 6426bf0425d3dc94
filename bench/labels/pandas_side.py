"""A script with pandas and OpenAI's SDK, as one would write it for this once. `... URL REQUESTS ASKING FOLDER`.

It writes JSON lines within the API's limits, uploads them, waits, reads the results into a frame, drops duplicates,
merges them with the requests by custom_id, and asks again for those that have none. What it does not do: no answer is
kept before all are there (a killed run pays again for everything, batches under way included), nothing limits what is
spent, nothing is known from earlier runs, answers that contradict each other count by chance, and a text can pass
itself off as the prompt, for the markers around it are always the same.
"""

import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
from openai import OpenAI

from bench.labels.answers import Clock, tell_labels

MOST_REQUESTS, MOST_BYTES = 50_000, 200_000_000
ENDED = {"completed", "expired", "failed", "cancelled"}
MOST_ROUNDS = 10


def main(url: str, requests: Path, asking: dict[str, Any], folder: Path) -> None:
    """Ask, merge, ask again for what is missing."""
    clock = Clock()
    frame = pd.read_parquet(requests, columns=["requestId", "request", "history"])
    labels = pd.DataFrame({"requestId": pd.Series(dtype=str), "label": pd.Series(dtype=int)})
    with OpenAI(base_url=url, api_key="none-needed") as client:
        for _ in range(MOST_ROUNDS):
            missing = frame[~frame["requestId"].isin(labels["requestId"])]
            if missing.empty:
                break
            batches = [_sent(client, path) for path in _request_files(missing, asking, folder)]
            found = pd.concat([_results(client, batch) for batch in batches])
            labels = pd.concat([labels, found]).drop_duplicates("requestId")
    merged = frame[["requestId"]].merge(labels, on="requestId", how="left")
    with (folder / "labels.parquet").open("wb") as file:
        merged.to_parquet(file)
        file.flush()
        os.fsync(file.fileno())
    took = clock.told()
    tell_labels(took, zip(merged["requestId"], merged["label"].astype(int), strict=True))


def _request_files(frame: pd.DataFrame, asking: dict[str, Any], folder: Path) -> Iterator[Path]:
    """Files of requests, one at a time."""
    rows = zip(frame["requestId"], frame["request"], frame["history"], strict=True)
    path, lines, size = folder / "requests.jsonl", list[str](), 0
    for row in rows:
        line = _line(*row, asking)
        if len(lines) == MOST_REQUESTS or size + len(line) > MOST_BYTES:
            yield _written(path, lines)
            lines, size = [], 0
        lines.append(line)
        size += len(line)  # ASCII, as json writes it
    yield _written(path, lines)


def _line(request_id: str, request: str, history: str, asking: dict[str, Any]) -> str:
    user = asking["user"].replace("{history}", history).replace("{request}", request)
    messages = [{"role": "system", "content": asking["system"]}, {"role": "user", "content": user}]
    body = {"model": asking["model"], "messages": messages, **asking["parameters"]}
    return json.dumps({"custom_id": request_id, "method": "POST", "url": "/v1/chat/completions", "body": body}) + "\n"


def _written(path: Path, lines: Sequence[str]) -> Path:
    with path.open("w") as file:
        file.writelines(lines)
        file.flush()
        os.fsync(file.fileno())
    return path


def _sent(client: OpenAI, path: Path) -> str:
    uploaded = client.files.create(file=path, purpose="batch")
    batch = client.batches.create(input_file_id=uploaded.id, endpoint="/v1/chat/completions", completion_window="24h")
    return batch.id


def _results(client: OpenAI, batch_id: str) -> pd.DataFrame:
    while (batch := client.batches.retrieve(batch_id)).status not in ENDED:
        time.sleep(0.05)
    if batch.output_file_id is None:
        return pd.DataFrame({"requestId": [], "label": []})
    results = [json.loads(line) for line in client.files.content(batch.output_file_id).text.splitlines()]
    done = [result for result in results if result["response"] and result["response"]["status_code"] == 200]
    said = [result["response"]["body"]["choices"][0]["message"]["content"].strip() for result in done]
    found = pd.DataFrame({"requestId": [result["custom_id"] for result in done], "said": said})
    found = found[found["said"].isin(["0", "1"])]
    return found.assign(label=found["said"].astype(int))[["requestId", "label"]]


if __name__ == "__main__":
    with TemporaryDirectory(dir=sys.argv[4]) as name:
        main(sys.argv[1], Path(sys.argv[2]), json.loads(Path(sys.argv[3]).read_text()), Path(name))
