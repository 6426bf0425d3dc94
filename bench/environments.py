"""The folders of the interpreters that sides run in; `make bench` makes them from `bench/requirements*.txt`."""

PRODUCT = ""
"""The one that runs the benchmarks: the product with pandas, datasets and datatrove beside it."""

DATA_JUICER = ".venv-bench-data-juicer"
CURATOR = ".venv-bench-curator"
