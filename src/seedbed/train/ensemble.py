"""Several classifiers in one folder, opened as one: the mean of their logits.

    from ensemble import Ensemble        # this file lies in the folder

    model = Ensemble.from_pretrained(".")
    logits = model(**tokenizer(texts, padding=True, return_tensors="pt"))

Needs torch and transformers only.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForSequenceClassification

MEMBERS = "ensemble.json"


class Ensemble(torch.nn.Module):
    """Gives the mean of its members' logits, [rows, classes]."""

    def __init__(self, members: list[Any]) -> None:
        """Hold the members, in evaluation mode."""
        super().__init__()
        self.members = torch.nn.ModuleList(members)
        self.config = members[0].config
        self.eval()

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> Ensemble:
        """Open every member that the folder's ``ensemble.json`` names."""
        root = Path(folder)
        names = json.loads((root / MEMBERS).read_text(encoding="utf-8"))["members"]
        return cls(
            [AutoModelForSequenceClassification.from_pretrained(root / name) for name in names]
        )

    @torch.no_grad()
    def forward(self, **inputs: Any) -> torch.Tensor:
        """Give the mean logits for the tokenizer's ``inputs``."""
        return torch.stack([member(**inputs).logits for member in self.members]).mean(dim=0)
