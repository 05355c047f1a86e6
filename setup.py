"""What pyproject.toml cannot say: a wheel carries conf/ and baselines/, which stand beside the package, inside it."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithData(build_py):
    """Copies the folders that `pipeline.app.composition.project_folder` looks for; an editable install has them beside it."""

    def run(self) -> None:
        """Called by setuptools."""
        super().run()
        if not self.editable_mode:
            for name in ("conf", "baselines"):
                target = Path(self.build_lib, "pipeline", name)
                shutil.rmtree(target, ignore_errors=True)  # what an earlier build has left
                shutil.copytree(name, target)


setup(cmdclass={"build_py": BuildWithData})
