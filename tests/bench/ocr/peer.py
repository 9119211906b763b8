"""Runs RapidOCR over a folder of pages: `peer.py ENGINE DET REC PAGES RESULT`.

ENGINE is onnxruntime or openvino, DET and REC the files of the two models. RapidOCR keeps its own settings,
but for its third model, a classifier of lines that stand upside down, which is off: it reads with the same
two models as the pipeline that it is compared with.

Writes RESULT as JSON: {"seconds": for all pages, "pages": {file: [lines]}}. Imports, the loading of the
models and one page to warm up are not in `seconds`; the reading and decoding of each file is.
"""
import json
import logging
import os
import pathlib
import sys
import time

from rapidocr import EngineType, RapidOCR


def make_engine(name, det, rec):
    threads = len(os.sched_getaffinity(0))
    engine = {"onnxruntime": EngineType.ONNXRUNTIME, "openvino": EngineType.OPENVINO}[name]
    thread_option = {"onnxruntime": "intra_op_num_threads", "openvino": "inference_num_threads"}[name]
    return RapidOCR(params={
        "Global.use_cls": False, "Global.log_level": "critical",
        "Det.engine_type": engine, "Det.model_path": det,
        "Rec.engine_type": engine, "Rec.model_path": rec,
        f"EngineConfig.{name}.{thread_option}": threads,
    })


def main():
    name, det, rec = sys.argv[1:4]
    pages, result = map(pathlib.Path, sys.argv[4:6])
    logging.disable(logging.CRITICAL)
    engine = make_engine(name, det, rec)
    files = [json.loads(line)["file"] for line in open(pages / "truth.jsonl", encoding="utf-8")]
    engine(pages / files[0])

    texts = {}
    start = time.perf_counter()
    for file in files:
        texts[file] = list(engine(pages / file).txts or [])
    seconds = time.perf_counter() - start
    result.write_text(json.dumps({"seconds": seconds, "pages": texts}, ensure_ascii=False), encoding="utf-8")


main()
