"""The faults of a Kusto service, each with a test by its number: never a partial result, whatever happens.

Belongs here: the real client, the chunk queries and the walk against the stand-in. Bad rows and bad files are tested
where they are read.
"""
