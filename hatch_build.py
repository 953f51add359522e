"""Compile the hot modules of trio_aerospike while the package is built, where a C compiler is.

Hatchling calls this for wheels and for editable installs. The modules run as they are where they are not compiled. Set
TRIO_AEROSPIKE_PURE=1 to build a package without compiled modules.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

#: Where compiled modules are, within the package of their sources: it comes first in the package's ``__path__``.
FOLDER = "_compiled"
#: Types of C come from the .pxd files alone: an annotation ``int`` does not fit a C integer.
DIRECTIVES = {"language_level": 3, "annotation_typing": False}


class CompiledModules(BuildHookInterface):  # type: ignore[type-arg]
    """Compiles the modules that pyproject.toml names; skips all of them, with one line, where that fails."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile before the files of the package are gathered."""
        if self.target_name != "wheel":
            return
        root = Path(self.root)
        package = root / self.config["package"]
        self._scratch = tempfile.TemporaryDirectory(prefix="trio_aerospike_")
        shutil.rmtree(package / FOLDER, ignore_errors=True)
        if os.environ.get("TRIO_AEROSPIKE_PURE", "0") not in ("", "0"):
            self.app.display_info("trio_aerospike: the hot modules are not compiled: TRIO_AEROSPIKE_PURE is set")
            return
        try:
            compiled = compile_modules(root, package, self.config["modules"], Path(self._scratch.name))
        except Exception as error:  # whatever a compiler that is missing or unfit raises
            reason = " ".join(str(error).split())[:100] or type(error).__name__
            self.app.display_warning(f"trio_aerospike: the hot modules are not compiled, no C compiler works: {reason}")
            return
        self.app.display_info(f"trio_aerospike: {len(compiled)} hot modules compiled")
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        target = package / FOLDER
        if version == "editable":
            target.mkdir()
            for path in compiled:
                shutil.copy(path, target / path.name)
        else:
            for path in compiled:
                build_data["force_include"][str(path)] = str((target / path.name).relative_to(root))

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was only needed while the package was built."""
        if self.target_name == "wheel":
            self._scratch.cleanup()


def compile_modules(root: Path, package: Path, names: list[str], build: Path) -> list[Path]:
    """Compile modules of a package.

    Args:
        root: the folder of the project.
        package: that of the package.
        names: of the modules.
        build: where to put the results, and all that comes with them.

    Returns:
        The paths of the results.
    """
    from Cython.Build import cythonize
    from setuptools import Distribution, Extension

    dotted = ".".join(package.relative_to(root).parts)
    flags = [] if sys.platform == "win32" else ["-O2", "-g0"]
    before = Path.cwd()
    os.chdir(root)  # Cython finds the .pxd files of the package from here
    try:
        extensions = [
            Extension(f"{dotted}.{name}", [str((package / f"{name}.py").relative_to(root))], extra_compile_args=flags)
            for name in names
        ]
        made = cythonize(extensions, build_dir=str(build / "c"), compiler_directives=DIRECTIVES, quiet=True, force=True)
        command = Distribution({"name": "trio_aerospike", "ext_modules": made}).get_command_obj("build_ext")
        command.build_lib, command.build_temp = str(build / "lib"), str(build / "temp")
        command.ensure_finalized()
        command.run()
        return sorted(Path(path) for path in command.get_outputs())
    finally:
        os.chdir(before)
