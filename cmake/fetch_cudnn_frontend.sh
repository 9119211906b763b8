#!/usr/bin/env bash
# Fetches the headers of NVIDIA's C++ front end of cuDNN, which the CUDA plugin is built with, to where the build looks for
# them: ~/.cache/sluice/cudnn_frontend (XDG_CACHE_HOME is honoured).
#
#   bash cmake/fetch_cudnn_frontend.sh
#
# They come out of the PyPI package nvidia-cudnn-frontend (MIT and Apache-2.0), with its licences beside them. Nothing of it
# is part of this repository. What is there in the right version is left alone, so that a second run needs no network.
# Exit 0: there. Exit 1: it cannot be had.
set -euo pipefail

package=nvidia-cudnn-frontend version=1.32.0
# The system's own Python: another one that comes first on PATH may lack pip.
python=/usr/bin/python3
[[ -x $python ]] || python=python3
cache=${XDG_CACHE_HOME:-$HOME/.cache}/sluice
folder=$cache/cudnn_frontend

if [[ $(cat "$folder/VERSION" 2>/dev/null) == "$version" ]]; then
  echo "cuDNN's front end: $version there."
  exit 0
fi
if ! "$python" -m pip --version >/dev/null 2>&1; then
  echo "fetch_cudnn_frontend.sh: $python has no pip: run cmake/install_packages.sh (Debian: python3-pip)" >&2
  exit 1
fi
mkdir -p "$cache"
# Beside the place where it will lie, so that the last step is a rename and no half is ever seen.
scratch=$(mktemp -d "$cache/.fetch.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
echo "cuDNN's front end: fetching $package $version from PyPI"
if ! "$python" -m pip --quiet --disable-pip-version-check download --no-deps --no-cache-dir \
    --only-binary=:all: --python-version 3.11 --dest "$scratch" "$package==$version"; then
  echo "fetch_cudnn_frontend.sh: PyPI cannot be reached, or has no $package $version for this machine (pip's message" >&2
  echo "is above). Behind a proxy set https_proxy; with a mirror set PIP_INDEX_URL. Or install $package into" >&2
  echo "any Python environment, and give CMake its include folder as SLUICE_CUDNN_FRONTEND_INCLUDE_DIR." >&2
  exit 1
fi
"$python" - "$scratch" <<'PYTHON'
import pathlib, re, sys, zipfile
scratch = pathlib.Path(sys.argv[1])
wheel = zipfile.ZipFile(next(scratch.glob("*.whl")))
pattern = re.compile(r"include/|[^/]*\.dist-info/licenses/")
wheel.extractall(scratch / "wheel", [name for name in wheel.namelist() if pattern.match(name)])
PYTHON
echo "$version" >"$scratch/wheel/VERSION"
rm -rf "$folder"
mv "$scratch/wheel" "$folder"
echo "cuDNN's front end: $version in $folder."
