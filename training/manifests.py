"""Say what stands in a manifest's file."""

from __future__ import annotations

import json

from pi_mask.manifest import Manifest


def manifest_json(manifest: Manifest) -> str:
    """A manifest as the text of its file."""
    return json.dumps(manifest.model_dump(mode="json", by_alias=True), indent=2) + "\n"
