// A pipeline file, run by a program of one's own with the built-in nodes.
//   sluice_run_file FILE
#include "sluice/runtime/pipeline.h"

#include <iostream>

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  sluice::PipelineResult pipeline = sluice::Pipeline::load(argv[1]);
  if (!pipeline) {
    std::cerr << pipeline.error();  // every problem, with its place in the file
    return 2;
  }
  if (const sluice::Status started = pipeline->start(); !started) {
    std::cerr << started.message() << "\n";
    return 1;
  }
  const sluice::Report report = pipeline->wait();
  std::cout << report.to_text();
  return report.exit_code();
}
