"""The README and its sections, each by its title."""

import re

from tests import ROOT

README = (ROOT / "README.md").read_text()
SECTIONS = {part.partition("\n")[0]: part for part in re.split(r"^## ", README, flags=re.M)}
