#!/usr/bin/env bash
# Fetches the models of the OCR example into examples/ocr/models.
#
#   bash examples/ocr/fetch_models.sh [v6|v4]...     PP-OCRv6 small (what ocr.yaml names), PP-OCRv4; v6 unless said
#
# With either comes the classifier of lines that stand on their head, the same for both.
# They come inside PyPI packages, rapidocr 3.10.0 and rapidocr-onnxruntime 1.4.4, and are checked
# against their SHA-256. The models are PaddleOCR's, converted to ONNX by RapidOCR; both projects are
# under Apache-2.0, and a licence that a package carries is kept beside the models. Nothing of it is
# part of this repository. Models that are there and right are left alone, so that a second run needs
# no network.
set -euo pipefail

folder=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/models

# Sets package, its size to fetch, and the models wanted of it.
choose() {
  case "$1" in
    v6)
      package=rapidocr==3.10.0
      size="30 MB"
      checksums="090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f  PP-OCRv6_det_small.onnx
6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884  PP-OCRv6_rec_small.onnx
e47acedf663230f8863ff1ab0e64dd2d82b838fceb5957146dab185a89d6215c  ch_ppocr_mobile_v2.0_cls.onnx"
      ;;
    v4)
      package=rapidocr-onnxruntime==1.4.4
      size="15 MB"
      checksums="d2a7720d45a54257208b1e13e36a8479894cb74155a5efe29462512d42f49da9  ch_PP-OCRv4_det_infer.onnx
48fc40f24f6d2a207a2b1091d3437eb3cc3eb6b676dc3ef9c37384005483683b  ch_PP-OCRv4_rec_infer.onnx
e47acedf663230f8863ff1ab0e64dd2d82b838fceb5957146dab185a89d6215c  ch_ppocr_mobile_v2.0_cls.onnx"
      ;;
    *)
      echo "fetch_models.sh: no models are called $1; usage: fetch_models.sh [v6|v4]..." >&2
      exit 2
      ;;
  esac
}

models_are_right() { (cd "$1" && sha256sum --check --status --strict <<<"$checksums") 2>/dev/null; }

# The system's own Python: another one that comes first on PATH may lack pip.
python=/usr/bin/python3
[[ -x $python ]] || python=python3

download() {
  if ! "$python" -m pip --version >/dev/null 2>&1; then
    echo "fetch_models.sh: $python has no pip: run cmake/install_packages.sh (Debian: python3-pip)" >&2
    exit 1
  fi
  if ! "$python" -m pip --quiet --disable-pip-version-check download --no-deps --no-cache-dir \
      --only-binary=:all: --dest "$scratch" "$package"; then
    cat >&2 <<EOF
fetch_models.sh: PyPI cannot be reached, or no longer has $package (pip's message is above).
Behind a proxy set https_proxy; with a mirror set PIP_INDEX_URL. Or get the wheel of $package elsewhere,
unzip it, and put its models into
$folder
under these names:
$checksums
EOF
    exit 1
  fi
}

# A model is known by its checksum: packages carry the same one under different names.
unpack() {
  "$python" - "$scratch" "$checksums" <<'EOF'
import hashlib, pathlib, sys, zipfile
scratch = pathlib.Path(sys.argv[1])
wanted = dict(line.split() for line in sys.argv[2].splitlines())
wheel = zipfile.ZipFile(next(scratch.glob("*.whl")))
for entry in wheel.namelist():
    if entry.endswith(".onnx"):
        data = wheel.read(entry)
        name = wanted.get(hashlib.sha256(data).hexdigest())
        if name:
            (scratch / name).write_bytes(data)
    elif entry.endswith("/LICENSE"):
        (scratch / "LICENSE").write_bytes(wheel.read(entry))
EOF
}

fetch() {
  if models_are_right "$folder"; then
    echo "Models: $1 all there, checksums right."
    return
  fi
  # Inside the models' folder, so that the last step is a rename and no half model is ever seen.
  scratch=$(mktemp -d "$folder/.fetch.XXXXXX")
  trap 'rm -rf "$scratch"' EXIT
  echo "Models: fetching $package from PyPI ($size)"
  download
  unpack
  if ! models_are_right "$scratch"; then
    echo "fetch_models.sh: the models in $package are missing or not those this example was made for:" >&2
    (cd "$scratch" && sha256sum --check <<<"$checksums" || true) >&2
    exit 1
  fi
  chmod 644 "$scratch"/*.onnx
  mv "$scratch"/*.onnx "$folder/"
  [[ ! -f $scratch/LICENSE ]] || mv "$scratch/LICENSE" "$folder/LICENSE.rapidocr"
  rm -rf "$scratch"
  echo "Models: $1 in $folder (Apache-2.0):" $(sed 's/.* //' <<<"$checksums")
}

[[ $# -gt 0 ]] || set -- v6
for version in "$@"; do choose "$version"; done  # a word that is none is refused before anything is fetched
mkdir -p "$folder"
for version in "$@"; do
  choose "$version"
  fetch "$version"
done
