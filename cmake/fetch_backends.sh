#!/usr/bin/env bash
# Fetches the libraries that the backends of `infer` beside the native one run, where programs look
# for them: ~/.cache/sluice/backends (XDG_CACHE_HOME is honoured).
#
#   bash cmake/fetch_backends.sh                            both
#   bash cmake/fetch_backends.sh onnxruntime | openvino     one of them
#
# They are the CPU libraries out of two PyPI packages, with their licences beside them: ONNX Runtime
# (MIT) and OpenVINO (Apache-2.0), whose C headers the build of its plugin needs too. Nothing of them
# is part of this repository. What is there in the right version is left alone, so that a second run
# needs no network.
# Exit 0: all there. Exit 1: one cannot be had. Exit 2: usage.
set -euo pipefail

declare -A versions=([onnxruntime]=1.32.0 [openvino]=2026.4.1)
# OpenVINO's own libtbb.so.12 stays behind: a program of Sluice has one already (docs/decisions/backend-plugins.md).
declare -A patterns=(
  [onnxruntime]='onnxruntime/capi/libonnxruntime\.so|LICENSE$|ThirdPartyNotices'
  [openvino]='openvino/libs/libopenvino(_c|_onnx_frontend|_intel_cpu_plugin)?\.so|openvino/include/openvino/(c/|core/version\.hpp)|licenses/'
)

packages=("$@")
[[ $# -gt 0 ]] || packages=(onnxruntime openvino)
for package in "${packages[@]}"; do
  [[ -n ${versions[$package]:-} ]] || {
    echo "fetch_backends.sh: unknown backend $package (known: onnxruntime, openvino)" >&2
    exit 2
  }
done

# The system's own Python: another one that comes first on PATH may lack pip.
python=/usr/bin/python3
[[ -x $python ]] || python=python3
folder=${XDG_CACHE_HOME:-$HOME/.cache}/sluice/backends
mkdir -p "$folder"

fetch() {
  local package=$1 version=${versions[$1]} scratch
  if [[ $(cat "$folder/$package/VERSION" 2>/dev/null) == "$version" ]]; then
    echo "Backends: $package $version there."
    return 0
  fi
  if ! "$python" -m pip --version >/dev/null 2>&1; then
    echo "fetch_backends.sh: $python has no pip: run cmake/install_packages.sh (Debian: python3-pip)" >&2
    return 1
  fi
  # Beside the place where it will lie, so that the last step is a rename and no half is ever seen.
  scratch=$(mktemp -d "$folder/.fetch.XXXXXX")
  echo "Backends: fetching $package $version from PyPI"
  if ! "$python" -m pip --quiet --disable-pip-version-check download --no-deps --no-cache-dir \
      --only-binary=:all: --python-version 3.11 --dest "$scratch" "$package==$version"; then
    rm -rf "$scratch"
    echo "fetch_backends.sh: PyPI cannot be reached, or has no $package $version for this machine (pip's message" >&2
    echo "is above). Behind a proxy set https_proxy; with a mirror set PIP_INDEX_URL. Or install $package" >&2
    echo "into any Python environment and name its site-packages folder in SLUICE_BACKENDS." >&2
    return 1
  fi
  "$python" - "$scratch" "${patterns[$package]}" <<'PYTHON'
import pathlib, re, sys, zipfile
scratch, pattern = pathlib.Path(sys.argv[1]), re.compile(sys.argv[2])
wheel = zipfile.ZipFile(next(scratch.glob("*.whl")))
wheel.extractall(scratch / "wheel", [name for name in wheel.namelist() if pattern.search(name)])
PYTHON
  echo "$version" >"$scratch/wheel/$package/VERSION"
  mv "$scratch/wheel/"*.dist-info "$scratch/wheel/$package/" 2>/dev/null || true
  rm -rf "${folder:?}/$package"
  mv "$scratch/wheel/$package" "$folder/$package"
  rm -rf "$scratch"
  echo "Backends: $package $version in $folder/$package."
}

for package in "${packages[@]}"; do
  fetch "$package"
done
