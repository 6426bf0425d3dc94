"""Which labelled requests are looked at twice: a seeded share, the same whoever asks and in whatever order.

Belongs here: the choice. Does not belong here: asking again (clients.labelling), judging the outcome (label_claims).
"""

from fractions import Fraction
from math import ceil

import polars as pl

from sft_pipeline.curation.hashing import priorities
from sft_pipeline.curation.judge_knobs import Share


def looked_at_twice(verdicts: pl.DataFrame, share: Share, *, salt: str) -> pl.Series:
    """The ids of the labelled requests with the lowest hashes: nested, so that a larger share keeps a smaller one.

    Args:
        verdicts: `Verdict` rows.
        share: how many.
        salt: another one for every purpose, so that they are independent.
    """
    labelled = verdicts.filter(pl.col("label").is_not_null())["requestId"]
    of_share = ceil(Fraction(str(share.share)) * labelled.len())  # as the plan writes it: 0.07 of 100 is 7
    wanted = min(labelled.len(), max(share.at_least, of_share))
    ranked = pl.DataFrame({"requestId": labelled, "rank": priorities(labelled, salt=salt)})
    return ranked.sort("rank", "requestId").head(wanted)["requestId"]
