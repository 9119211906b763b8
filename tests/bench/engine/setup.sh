#!/usr/bin/env bash
# Gets the peers of the engine's and the pool's benchmarks.
#
#   bash tests/bench/engine/setup.sh FOLDER
#
# From Debian: Go, jemalloc, mimalloc. From PyPI: the headers of Taskflow, which Debian does not have; the
# source package of rapidfuzz carries them (both under the MIT licence). Go's program is built into FOLDER,
# and the headers are put into FOLDER/taskflow. A peer that cannot be had is left out, with a line that says
# so. Exit 0: done. Exit 2: usage.
set -euo pipefail
if [[ $# -ne 1 ]]; then
  echo "setup.sh: usage: bash tests/bench/engine/setup.sh FOLDER" >&2
  exit 2
fi
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=$(mkdir -p "$1" && cd "$1" && pwd)

bash "$here/../../../cmake/install_packages.sh" --peers || echo "setup.sh: what of these is missing is left out"

if command -v go >/dev/null; then
  (cd "$here/go" && GOFLAGS=-mod=mod GOTOOLCHAIN=local go build -o "$folder/go_bench" .)
else
  echo "setup.sh: no Go here: its peers are left out"
fi

source_package=rapidfuzz
version=3.14.6
checksum=e13a8160d017b499ec7a2fa9d0ce1ae2e7377080815785819f966fb235d4eb60
if [[ ! -e $folder/taskflow/taskflow/taskflow.hpp ]]; then
  scratch=$(mktemp -d "$folder/.fetch.XXXXXX")
  trap 'rm -rf "$scratch"' EXIT
  archive=$scratch/$source_package-$version.tar.gz
  echo "Taskflow: fetching $source_package $version from PyPI (58 MB)"
  # To know its metadata pip would compile the package; without a compiler it builds a pure Python one.
  if CC=/bin/false CXX=/bin/false /usr/bin/python3 -m pip --quiet --disable-pip-version-check download --no-deps --no-cache-dir \
      --no-binary=:all: --dest "$scratch" "$source_package==$version" &&
    sha256sum --check --status --strict <<<"$checksum  $archive"; then
    tar -xzf "$archive" -C "$scratch" "$source_package-$version/extern/taskflow/taskflow" \
      "$source_package-$version/extern/taskflow/LICENSE"
    mv "$scratch/$source_package-$version/extern/taskflow" "$folder/taskflow"
  else
    echo "setup.sh: no Taskflow here: it is left out"
  fi
fi
