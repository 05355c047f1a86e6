"""Ten tables as people have them: the files in docs/examples/, each with the command that docs/data.md has for it."""

import re
import shlex

from tests.pages import PAGES, commands

EXAMPLES = "docs/examples/"
COMMANDS = [line for line in commands(PAGES["data.md"]) if "task.path=" + EXAMPLES in line]
BY_FILE = {re.search(rf"task\.path={EXAMPLES}(\S+)", line)[1]: shlex.split(line.replace(EXAMPLES, ""))[3:] for line in COMMANDS}
