"""The one place that wires the layers: prepare a study, run it, read it, export its best."""
