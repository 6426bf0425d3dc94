"""Fault 44: a publisher that is killed at any step leaves a whole release or none, and the next one goes on."""

import json
import os
import signal
from dataclasses import replace

from sft_pipeline.clients.verification import verify_release
from sft_pipeline.curation.release import METADATA
from sft_pipeline_tests.azurite.fault_proxy import Proxied
from sft_pipeline_tests.azurite.fault_rules import Asked, Rule
from sft_pipeline_tests.azurite.fixtures import Container
from sft_pipeline_tests.clients.blob.publisher import Work, publish_small, put_large, start, uploaded
from sft_pipeline_tests.clients.blob.store_world import LARGE, entered, is_block, is_commit


def is_write(asked: Asked) -> bool:
    return asked.is_write


def release_of(container: Container, folder: str) -> dict[str, bytes]:
    """The files of a store and their bytes, as the service has them; of metadata.json all but who wrote it."""
    names = list(container.client.list_blob_names(name_starts_with=f"{folder}/"))
    found = {name.removeprefix(f"{folder}/"): container.client.download_blob(name).readall() for name in names}
    for path in found:
        if path.endswith(METADATA):
            document = json.loads(found[path])
            del document["curation_info"]["run_id"]
            found[path] = json.dumps(document).encode()
    return found


def kill_after(rule: Rule, proxy: Proxied, container: Container, folder: str, work: Work) -> None:
    """A publisher that is killed when the service has done the write that meets the rule, and before it knows."""
    proxy.faults.set(replace(rule, kind="lost", after=lambda: os.kill(process.pid, signal.SIGKILL)))
    with start(proxy.azurite, container.name, folder, work) as process:
        _, told = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL, told.decode()


def paths_written(proxy: Proxied, container: Container, folder: str) -> list[str]:
    return [asked.path.partition(f"/{container.name}/{folder}/")[2] for asked in proxy.faults.writes]


def is_verified(proxy: Proxied, container: Container, release: str) -> bool:
    with entered(proxy.azurite, container.name, release) as store:
        return verify_release(store).passed


def test_fault_44_killed_after_any_write_it_shows_a_whole_release_or_none_and_the_next_run_goes_on(
    proxy: Proxied, container: Container
):
    with entered(proxy.azurite, container.name, "undisturbed") as store:
        uploaded(store)
        proxy.faults.set()
        name = publish_small(store, "undisturbed").name
        steps = paths_written(proxy, container, "undisturbed")
    expected = release_of(container, "undisturbed")
    assert len(set(steps)) == 7, "name, stamp, three cells, a report, metadata.json"
    for number in range(1, len(steps) + 1):
        folder = f"killed-{number}"
        with entered(proxy.azurite, container.name, folder) as store:
            uploaded(store)
            kill_after(Rule(where=is_write, nth=number), proxy, container, folder, "release")
            assert paths_written(proxy, container, folder) == steps[:number]
            left = release_of(container, folder)
            finished = number == len(steps)
            assert any(METADATA in path for path in left) == finished
            assert left == {path: expected[path] for path in left}, "no file is half there"
            assert not finished or is_verified(proxy, container, f"{folder}/{name}")
            proxy.faults.set()
            assert publish_small(store, "again").already_there == finished
            assert set(paths_written(proxy, container, folder)) == expected.keys() - left.keys()
        assert release_of(container, folder) == expected
        assert is_verified(proxy, container, f"{folder}/{name}")


def test_fault_44_killed_while_it_sends_blocks_it_shows_no_file_and_the_next_run_sends_the_others(
    proxy: Proxied, container: Container
):
    kill_after(Rule(where=is_block, nth=2), proxy, container, "killed", "large")
    assert release_of(container, "killed") == {}
    _, staged = container.client.get_blob_client("killed/large.json").get_block_list("uncommitted")
    assert staged
    proxy.faults.set()
    with entered(proxy.azurite, container.name, "killed") as store:
        put_large(store)
    sent = sum(asked.bytes for asked in proxy.faults.asked(is_block))
    assert sent <= len(LARGE) - sum(block.size for block in staged), "a block on its way may have come after the kill"
    assert release_of(container, "killed") == {"large.json": LARGE}


def test_fault_44_killed_between_the_commit_of_a_large_file_and_its_answer_it_is_done(
    proxy: Proxied, container: Container
):
    kill_after(Rule(where=is_commit), proxy, container, "killed", "large")
    assert release_of(container, "killed") == {"large.json": LARGE}
    proxy.faults.set()
    with entered(proxy.azurite, container.name, "killed") as store:
        put_large(store)
    assert proxy.faults.writes == []
