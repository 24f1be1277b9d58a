"""The study folder: SQLite for facts, files for weights. One writer; facts are only added.

Imports core; of others SQLAlchemy Core, filelock, tomli-w and, for Parquet, pyarrow.
"""
