"""The presets that there are."""

from __future__ import annotations

from pathlib import Path

import adapters.rest.presets

PRESETS = sorted(path.stem for path in Path(adapters.rest.presets.__path__[0]).glob("*.yaml"))
