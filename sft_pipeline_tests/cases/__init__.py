"""The hand-written cases of the scenario, by what they show; scenario.py puts them together."""
