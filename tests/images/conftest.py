"""Builds the images without Docker or a registry: buildah, on a base by debootstrap.

They lie in a storage of their own, which goes with the tests: a set of images takes 8 GB.
"""

import functools
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
BASE = "localhost/litesmith-base:bookworm"
TOOLS = ("buildah", "podman", "debootstrap", "runc")
# runc cannot raise limits in a sandboxed build machine; the images need no more than these.
RUN = (
    *("podman", "--runtime", "runc", "run", "--rm", "--network", "host"),
    *("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"),
)


def run(*command: str) -> str:
    """Runs a command; returns its output, and fails with all of it."""
    result = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert result.returncode == 0, f"{' '.join(command)}\n{result.stdout}\n{result.stderr}"
    return result.stdout


@pytest.fixture(scope="session")
def base_image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing or os.geteuid() != 0:
        pytest.skip(f"building images takes root and {', '.join(TOOLS)}; missing: {missing}")
    folder = tmp_path_factory.mktemp("images")
    configuration = folder / "storage.conf"
    configuration.write_text(
        "[storage]\n"
        'driver = "overlay"\n'
        f'graphroot = "{folder / "storage"}"\n'
        f'runroot = "{folder / "run"}"\n'
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONTAINERS_STORAGE_CONF", str(configuration))
        # Layers are staged here: by default in /var/tmp, where a failed build leaves them.
        patch.setenv("TMPDIR", str(folder))
        try:
            import_base(folder)
            yield BASE
        finally:
            run("podman", "image", "rm", "--all", "--force")
            subprocess.run(["umount", folder / "storage" / "overlay"], check=False)
            shutil.rmtree(folder)


def import_base(folder: Path) -> None:
    """Makes the image that the others are built on, of Debian's packages."""
    root = folder / "root"
    packages = "python3,python3-venv,ca-certificates"
    run("debootstrap", "--variant=minbase", f"--include={packages}", "bookworm", str(root))
    # Where the network is closed but for a mirror, its authority is this machine's.
    certificates = "etc/ssl/certs/ca-certificates.crt"
    shutil.copy(f"/{certificates}", root / certificates)
    archive = root.with_name("root.tar")
    run("tar", "-C", str(root), "-cf", str(archive), ".")
    shutil.rmtree(root)
    environment = (f"SSL_CERT_FILE=/{certificates}", "PATH=/usr/local/bin:/usr/bin:/bin")
    changes = [part for line in environment for part in ("--change", f"ENV {line}")]
    run("podman", "import", *changes, str(archive), BASE)
    archive.unlink()


@functools.cache
def build_image(base: str, dependencies: str) -> str:
    """Returns the name of an image, built where no test has asked for it before."""
    name = f"localhost/litesmith-{dependencies}:test"
    run(
        *("buildah", "bud", "--isolation", "chroot", "--network", "host"),
        *("--file", "images/Dockerfile", "--target", "runtime", "--tag", name),
        *("--build-arg", f"BASE={base}", "--build-arg", f"DEPENDENCIES={dependencies}"),
        *("--build-arg", "COMMIT=test", "."),
    )
    return name
