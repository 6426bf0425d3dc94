"""The label store: every answer of every judge, kept by what was asked, so that nothing is paid for twice."""
