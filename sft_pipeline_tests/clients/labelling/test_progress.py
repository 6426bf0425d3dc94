from sft_pipeline.clients.labelling.progress import LabelProgress


def test_the_figures_stay_until_the_next_split_and_the_waiting_does_not() -> None:
    progress = LabelProgress()
    assert progress.told() == ""
    progress.start("session_router train")
    assert progress.told() == "session_router train: 0 judged, 0 of them asked now"
    progress.wait("batch 1")
    assert progress.told().endswith(", batch 1")
    progress.stop()
    assert progress.told() == "session_router train: 0 judged, 0 of them asked now"


def test_the_share_of_label_0_is_told_with_its_interval() -> None:
    progress = LabelProgress("session_router val", label0=30, label1=70, unlabelled=1_000, asked=7)
    progress.wanted, progress.money = "label 0: 30/70, label 1: 50/50", "0.10 of 5.00 USD"
    assert progress.told() == (
        "session_router val: 1,100 judged, 7 of them asked now, label 0: 30.0% (21.9% to 39.6%), "
        "label 0: 30/70, label 1: 50/50, 0.10 of 5.00 USD"
    )


def test_another_split_begins_at_nothing() -> None:
    progress = LabelProgress("session_router val", 1, 2, 3, 4, "label 0: 1/7", "0.10 USD")
    progress.start("session_router test")
    assert progress == LabelProgress("session_router test")
