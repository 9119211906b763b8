#!/usr/bin/env bash
# Builds the GPU suite and packs what a bare machine with a GPU needs to run it: tests/gpu/pack/suite.tar.xz, in a folder
# that Git ignores.
#
#   tests/gpu/pack.sh [--no-build] [--most MIB]
#
# In the pack: bin/ the programs, lib/ Sluice's libraries and those of Debian that they need, lib/sluice/ the CUDA
# plugin. Not in it: the C and C++ libraries, the driver, cuDNN and cublasLt, which run.sh looks for where it runs.
# Prints the sizes; fails when they come to more than 60 MiB (--most). --no-build packs what is built already.
set -euo pipefail
shopt -s nullglob
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

usage() {
  echo "pack.sh: $1; usage: tests/gpu/pack.sh [--no-build] [--most MIB]" >&2
  exit 2
}

build=yes
most_mib=60
while [[ $# -gt 0 ]]; do
  case "$1" in
    --no-build) build=no ;;
    --most) [[ ${2:-} =~ ^[0-9]+$ ]] || usage "--most wants a number"; most_mib=$2; shift ;;
    *) usage "unknown argument $1" ;;
  esac
  shift
done

readonly tree=build/gpu archive=tests/gpu/pack/suite.tar.xz
# Of every machine that has a compiler, a driver or a CUDA toolkit.
readonly not_packed='^(ld-linux.*|lib(c|m|dl|rt|pthread|gcc_s|stdc\+\+|cuda|cudnn.*|cublas.*|nv.*))\.so'

if [[ $build == yes ]]; then
  cmake -S . -B "$tree" -G Ninja -DCMAKE_BUILD_TYPE=Release -DSLUICE_CUDA=ON -DSLUICE_EXAMPLES=OFF
  cmake --build "$tree" --target sluice_gpu_suite
fi
[[ -x $tree/bin/gpu_models ]] || { echo "pack.sh: nothing is built in $tree" >&2; exit 1; }

pack=$(mktemp -d)
trap 'rm -rf "$pack"' EXIT
mkdir -p "$pack/bin" "$pack/lib/sluice"
cp "$tree/bin/sluice" "$tree"/bin/gpu_* "$pack/bin/"
plugin=$(find "$tree" -name libsluice_cuda.so -print -quit)
cp "$plugin" "$pack/lib/sluice/"

# What the loader finds for them here, and for those in turn.
while read -r name path; do
  [[ $name =~ $not_packed ]] || cp -L "$path" "$pack/lib/$name"
done < <(ldd "$pack"/bin/* "$plugin" |
  awk '$2 == "=>" && $3 ~ /^\// { print $1, $3 }' | sort -u)
strip --strip-unneeded "$pack"/bin/* "$pack"/lib/*.so* "$pack"/lib/sluice/*.so
git describe --always --dirty > "$pack/COMMIT" 2>/dev/null || echo unknown > "$pack/COMMIT"

(cd "$pack" && du --apparent-size -k bin/* lib/*.so* lib/sluice/*.so) | sort -rn | awk '{ printf "%8.1f MiB  %s\n", $1 / 1024, $2 }'
mkdir -p "$(dirname "$archive")"
tar --create --directory "$pack" --sort=name --owner=0 --group=0 . | xz --threads=0 -6 > "$archive"
bytes=$(stat --format %s "$archive")
awk -v bytes="$bytes" -v most="$most_mib" -v name="$archive" 'BEGIN { printf "%8.1f MiB  %s, of at most %d\n", bytes / 1048576, name, most }'
if [[ $bytes -gt $((most_mib * 1048576)) ]]; then
  echo "pack.sh: the pack is too large to travel" >&2
  exit 1
fi
