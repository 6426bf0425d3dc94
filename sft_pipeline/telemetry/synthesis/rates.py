"""How often and how large: every number that shapes the synthetic telemetry.

Belongs here: shares, medians, spreads and limits, each with what it was measured or estimated on.
Does not belong here: how they are drawn (randomness) or what they mean for events (the other modules).
Estimates of a production telemetry unless a line says that they were set so that volume fits.
"""

# Conversations: share of all agent conversations by number of turns.
ONE_TURN = 0.38
TWO_TURNS = 0.17
THREE_TO_TWENTY_TURNS = 0.42
MORE_TURNS = 0.03
MIN_TURNS, MAX_TURNS = 3, 20
TURNS_EXPONENT = 1.3
"""P(k turns) ~ k^-TURNS_EXPONENT * e^(-TURNS_DECAY k) within 3..20: 48 % short, 30 % medium, 22 % long."""
TURNS_DECAY = 0.02
MORE_TURNS_MEAN_EXCESS = 5.0
MORE_TURNS_LIMIT = 60
BUCKETS = {"short": (3, 5), "medium": (6, 10), "long": (11, 20)}

# Incomplete conversations: shares of those with 3 to 20 turns.
HEAD_MISSING = 0.09
TURN_MISSING = 0.09
MODE_SWITCHED = 0.06
RETRIED = 0.05
"""Conversations with a repeated turnIndex (Q8): replaced attempts and abandoned branches together."""
ABANDONED_BRANCH = 0.012
RETRY_BESIDE_HOLE = 0.2
"""Of conversations with a hole: a retry makes the number of messages look complete."""
TWO_TURNS_LOST = 0.25
OLD_CLIENT_FIRST = 0.25
"""Of mode switches: the first turns come from a client that sent no mode."""
INVALID = 0.001
"""Complete by the query, but a user message is blank."""

# Subagents (Q10): shares of conversations.
SUBAGENT = 0.015
UNMARKED_SUBAGENT = 0.005
"""Part of SUBAGENT: sent by clients that did not mark subagents yet."""

# Outside the query's scope: shares of all conversations; of events they are fewer, as their turns are few and short.
OTHER_MODES = {"ask": 0.25, "custom": 0.05, "edit": 0.04, "plan": 0.01}
MODE_MISSING = 0.02
BLANK_CONVERSATION_ID = 0.001
OTHER_MODE_TURNS = (0.75, 0.2, 0.05)
"""One, two, three turns; few, for volume."""

# Conversations: properties of some.
CENSORED_ON_LAST_DAY = 0.1
"""Candidates of the window's last day that go on after its end (Q23)."""
CONTEXT_RESET = 0.06
"""Of conversations with more than 10 turns (Q17)."""
RESET_AFTER_TURNS = 10
MODEL_SWITCHER = 0.13
MODEL_SWITCH_PER_TURN = 0.35
"""Of a switcher's turns: about 12 % of conversations switch at least once, 4 % of all turns switch (Q19)."""
OWN_KEY_CONVERSATION = 0.006
OWN_KEY_TURN = 0.004
USER_UNDEFINED = 0.003
WINDOW_RELOADED = 0.03
SESSION_EVENTS = 0.02
"""Conversations that also send interactiveSession events and request counters; few, for volume."""
SUPPLEMENTARY_CALLS = 0.08
LANGUAGE_KNOWN = 0.2

# Rounds per turn; set so that volume fits, real first turns reach p95 11 and p99 26.
FIRST_ROUNDS_MEDIAN, FIRST_ROUNDS_SIGMA = 2.0, 0.85
LATER_ROUNDS_MEDIAN, LATER_ROUNDS_SIGMA = 1.1, 0.65
ROUNDS_LIMIT = 60

# How turns end: shares of all turns.
RESPONSE_TYPES = {
    "cancelled": 0.035,
    "failed": 0.004,
    "networkError": 0.004,
    "rateLimited": 0.007,
    "length": 0.003,
    "filtered": 0.003,
    "maxToolCalls": 0.006,
}
CONTINUE = 0.015
CONTINUE_OF_LATER_TURNS = 0.019
"""Continue turns (Q11) are never the first: CONTINUE by the share of turns that are not."""
RERUN_OF_FIRST_TURNS = 0.006
"""First turns that were rate limited and run again under the same messageId (Q9)."""
TOOLS_ONLY = 0.04
"""Successful turns without any text (Q5)."""
NARRATED_ROUNDS = 0.45
FINAL_IN_LAST_ROUND = 0.05
"""Successful turns whose last round repeats the final answer's text; few, for volume."""
DETAILS_MISSING = 0.005

# Calls.
RETRIED_CALLS = 0.012
FILTERED_OF_RETRIED = 0.5
INPUT_EVENTS = 0.1
"""Calls that succeeded and whose input event is kept: a sample, for volume; failed calls always keep theirs."""
PARALLEL_ROUNDS = {"claude": 0.25, "gpt": 0.2, "other": 0.08}

# Tokens.
FIRST_CONTEXT_MEDIAN, FIRST_CONTEXT_SIGMA, FIRST_CONTEXT_MIN = 17_000, 0.35, 6_000
CALL_TOKENS_MEDIAN, CALL_TOKENS_SIGMA = 900, 1.1
USER_TOKENS = (200, 1_500)
RESET_CONTEXT = (25_000, 45_000)
LARGE_CONTEXT = (60_000, 90_000)
COMPLETION_MEDIAN, COMPLETION_SIGMA, COMPLETION_LIMIT = 190, 1.4, 16_000
FINAL_COMPLETION_MEDIAN = 350

# Times, in seconds.
DURATION_MEDIAN, DURATION_SIGMA, DURATION_LIMITS = 45.0, 1.57, (1.0, 7_200.0)
"""Includes waits for a person's confirmation: p10 6 s, p90 6 min, p99 half an hour (Q20)."""
SUBAGENT_PARENT_DURATION = 20.0
PAUSE_MEDIAN, PAUSE_SIGMA, PAUSE_LIMITS = 60.0, 1.5, (1.0, 7_200.0)
SPAN_LIMIT = 14 * 3_600.0
EDGE_MARGIN = 600.0
"""How far a conversation stays away from an edge of the window that it must not touch."""
TRANSPORT_DELAY = 60.0
HOURS = (2, 1, 1, 1, 1, 2, 3, 5, 7, 8, 8, 8, 8, 9, 9, 9, 8, 8, 7, 6, 5, 4, 3, 2)
"""Relative number of conversations that start in each UTC hour."""
WEEKDAYS = (10, 11, 11, 11, 9, 4, 4)
"""Relative number of conversations that start on each weekday, from Monday."""

# Texts: characters. User texts and answers are shorter than real ones, so that volume fits.
USER_DETAIL = 0.4
USER_DETAIL_MEDIAN, USER_DETAIL_SIGMA = 110, 1.4
ANSWER_MEDIAN, ANSWER_SIGMA = 370, 0.75
OTHERS_TEXT = 0.3
"""How long details and answers are, compared with others, in conversations of too few or many turns or another mode."""
LONG_USER_TEXT = 0.001
LONG_ANSWER = 0.0007
"""Texts over the limit of store A; 1.2 % of user texts and 1.5 % of answers in production."""
SECRET = 0.002

# Delivery.
SECOND_STORE = 0.05
STORE_B_KEEPS = 0.97
"""Of texts over the limit, those that store B holds whole."""
SPLIT_OF_LONG_TEXTS = 0.3
"""Texts over the limit that a newer client sends in several properties."""
TRANSPORT_DUPLICATES = 0.007
