"""The tables of the routers as dataframely schemas: requests, verdicts, training sets, SFT files.

Belongs here: columns, types, keys. Does not belong here: those of conversations (tables), how a column is computed.
"""

import dataframely as dy

SIGNALS: tuple[str, ...] = ("numRequests", "turnDurationMs", "toolDiversity", "toolCalls", "promptTokenDelta")
"""What the client told about the work that a request took (source 003, strategy 2)."""


class Request(dy.Schema):
    """A request of a split, judged or left out; in priority order, so that any prefix is an unbiased sample."""

    requestId = dy.String(primary_key=True, description="`<conversationId>#<turnIndex>`")
    conversationId = dy.String()
    turnIndex = dy.Int64()
    turnCount = dy.Int64()
    split = dy.String()
    bucket = dy.String()
    priority = dy.Int64(description="rank key, by the hash of contentKey: lower comes first, equal ones by requestId")
    turnPosition = dy.String(description="early, mid or late: the third of the conversation in which the turn lies")
    request = dy.String(description="the user's message; empty where none was seen")
    history = dy.String(description="what was said before, as the judge sees it; empty for the session router")
    contentKey = dy.String(description="SHA-256 of the normalised content: equal keys are the same text to a reader")
    numRequests = dy.Int64(nullable=True, description="rounds as the client counts them")
    turnDurationMs = dy.Int64(nullable=True, description="includes waiting for a person")
    toolDiversity = dy.Int64(nullable=True, description="distinct tools called")
    toolCalls = dy.Int64(nullable=True)
    promptTokenDelta = dy.Int64(nullable=True)
    complexity = dy.String(description="high, low or unclear, by the proxies of source 003")
    model = dy.String(nullable=True, description="that answered")
    modelClass = dy.String(description="reasoning, fast or unknown: what the person chose")
    suspect = dy.Bool(description="the text reads as if it told the judge what to answer")
    leftOut = dy.String(nullable=True, description="why it is not judged; null where it is")


class Verdict(dy.Schema):
    """What was judged of a split's requests: the shortest prefix of the priority order that fills the quotas."""

    requestId = dy.String(primary_key=True)
    priority = dy.Int64()
    label = dy.Int64(nullable=True, description="0 reasoning required, 1 non-reasoning sufficient, null: unlabelled")
    probability = dy.Float64(nullable=True, description="of label 1, where the judge tells")
    reason = dy.String(nullable=True, description="why there is no label")
    judge = dy.String(description="who said so: kind/model; heuristic/... is no language model")
    prompt = dy.String(description="version of the prompt: name and first digits of its SHA-256")
    servedModel = dy.String(nullable=True, description="the model that the service says it used")
    retestLabel = dy.Int64(nullable=True, description="of the same judge, asked again; null where it was not")
    secondLabel = dy.Int64(nullable=True, description="of the second judge or prompt; null where it was not asked")
    humanLabel = dy.Int64(nullable=True, description="that a person gave; null where nobody did")


class TrainingRow(dy.Schema):
    """A labelled request that a split is trained, validated or tested on, at one ratio; in the order of the lines."""

    requestId = dy.String(primary_key=True)
    conversationId = dy.String()
    turnIndex = dy.Int64()
    turnCount = dy.Int64()
    split = dy.String()
    bucket = dy.String()
    priority = dy.Int64()
    turnPosition = dy.String()
    content = dy.String(description="the user's message of the SFT line")
    contentKey = dy.String()
    label = dy.Int64(description="0 reasoning required, 1 non-reasoning sufficient")
    probability = dy.Float64(nullable=True, description="of label 1")
    judge = dy.String()
    prompt = dy.String()
    numRequests = dy.Int64(nullable=True)
    turnDurationMs = dy.Int64(nullable=True)
    toolDiversity = dy.Int64(nullable=True)
    toolCalls = dy.Int64(nullable=True)
    promptTokenDelta = dy.Int64(nullable=True)
    complexity = dy.String()
    model = dy.String(nullable=True)
    modelClass = dy.String()
    stratum = dy.String(description="what it was balanced by beside its class, e.g. `early`; empty: by class alone")
    weight = dy.Float64(description="1 / P(turnCount) among the labelled requests (source 003, strategy 4)")


class SftArtifact(dy.Schema):
    """An uploaded file of a variant: the SFT lines, or the table of labels beside them."""

    path = dy.String(primary_key=True, description="relative to the release folder")
    variant = dy.String()
    kind = dy.String(description="sft or labels")
    url = dy.String(description="where the bytes lie, content-addressed")
    origin = dy.String(description="the same, relative to the store")
    records = dy.Int64()
    label0 = dy.Int64(description="how many of them need reasoning")
    label1 = dy.Int64()
    bytes = dy.Int64()
    md5 = dy.String()
    sha256 = dy.String()
    trainingVersion = dy.String(description="content version of the training set it was written from")


TRAINING_TABLE_FIELDS: tuple[str, ...] = tuple(name for name in TrainingRow.columns() if name != "content")
"""The columns of the table beside an SFT file: everything but the text, which stands in the line of the same number."""
