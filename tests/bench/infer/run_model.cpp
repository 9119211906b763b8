// Runs one model for measure.py beside it, which drives it line by line so that its runs and those
// of other engines alternate.
//   run_model MODEL.onnx fp32|bf16
// Commands on stdin, one answer line each on stdout; "error REASON ..." ends it with status 1.
//   input FILE f32|i64 1,3,32,32   the model's next input: raw, row-major; `clear` forgets them
//   run PREFIX             computes once, writes PREFIX.0 ... ; answers their shapes
//   time COUNT             answers the milliseconds of each run, in order
//   parallel THREADS COUNT answers the seconds until each of the threads has run COUNT times
//   memory                 answers the most the process has held, in kB
#include "sluice/core/model.h"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>
#include <thread>

namespace {

using namespace sluice;
using Clock = std::chrono::steady_clock;

double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

[[noreturn]] void fail(const std::string& message) {
  std::cout << "error " << message << std::endl;
  std::exit(1);
}

[[noreturn]] void fail(const Status& status) { fail(status.reason() + " " + status.message()); }

template <class T>
T value_or_fail(Result<T> result) {
  if (!result) fail(result.status());
  return std::move(*result);
}

Precision precision_named(const std::string& name) {
  if (name == "fp32") return Precision::kFp32;
  if (name == "bf16") return Precision::kBf16;
  fail("usage: no precision " + name);
}

DType dtype_named(const std::string& name) {
  if (name == "f32") return DType::kF32;
  if (name == "i64") return DType::kI64;
  fail("usage: no element type " + name);
}

Tensor read_tensor(const std::string& path, DType dtype, std::string dims) {
  std::replace(dims.begin(), dims.end(), ',', ' ');
  std::istringstream words(dims);
  Shape shape;
  for (std::int64_t dim = 0; words >> dim;) shape.push_back(dim);
  Tensor tensor = value_or_fail(Tensor::allocate(dtype, shape));
  std::ifstream file(path, std::ios::binary);
  if (!file.read(reinterpret_cast<char*>(tensor.raw()),
                 static_cast<std::streamsize>(tensor.size_bytes()))) {
    fail("usage: " + path + " is shorter than its shape says");
  }
  return tensor;
}

std::string peak_memory_kb() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    if (word == "VmHWM:") return status >> word, word;
  }
  return "0";
}

// A model, one session, and the inputs it runs on.
class Bench {
 public:
  Bench(const std::string& path, Precision precision) {
    const Backend* native = find_backend("native");
    if (native == nullptr) fail("usage: the native backend is not linked");
    model_ = value_or_fail(native->load(path, {.precision = precision, .outputs = {}}));
    session_ = value_or_fail(model_->new_session());
  }

  std::string answer(const std::string& line) {
    std::istringstream words(line);
    std::string command, first;
    words >> command >> first;
    if (command == "input") {
      std::string dtype, dims;
      words >> dtype >> dims;
      inputs_.push_back(read_tensor(first, dtype_named(dtype), dims));
      return "ok";
    }
    if (command == "clear") {
      inputs_.clear();
      return "ok";
    }
    if (command == "run") return write(run(*session_), first);
    if (command == "time") return time(std::stoi(first));
    if (command == "parallel") {
      int count = 0;
      words >> count;
      return parallel(std::stoi(first), count);
    }
    if (command == "memory") return peak_memory_kb();
    fail("usage: unknown command " + command);
  }

 private:
  std::span<const Tensor> run(Session& session) const {
    return value_or_fail(session.run(inputs_, nullptr));
  }

  static std::string write(std::span<const Tensor> outputs, const std::string& prefix) {
    std::string shapes;
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      std::ofstream(prefix + "." + std::to_string(i), std::ios::binary)
          .write(reinterpret_cast<const char*>(outputs[i].raw()),
                 static_cast<std::streamsize>(outputs[i].size_bytes()));
      shapes += (i > 0 ? " " : "") + outputs[i].shape().to_string();
    }
    return shapes;
  }

  std::string time(int count) {
    std::ostringstream times;
    for (int i = 0; i < count; ++i) {
      const auto start = Clock::now();
      run(*session_);
      times << (i > 0 ? " " : "") << milliseconds_since(start);
    }
    return times.str();
  }

  std::string parallel(int threads, int count) {
    while (others_.size() < static_cast<std::size_t>(threads)) {
      others_.push_back(value_or_fail(model_->new_session()));
      run(*others_.back());  // its arena
    }
    const auto start = Clock::now();
    {
      std::vector<std::jthread> running;
      for (int i = 0; i < threads; ++i) {
        running.emplace_back([this, i, count] {
          for (int n = 0; n < count; ++n) run(*others_[static_cast<std::size_t>(i)]);
        });
      }
    }
    return std::to_string(milliseconds_since(start) / 1e3);
  }

  std::shared_ptr<const Model> model_;
  std::unique_ptr<Session> session_;
  std::vector<std::unique_ptr<Session>> others_;
  std::vector<Tensor> inputs_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) fail("usage: run_model MODEL.onnx fp32|bf16");
  const auto start = Clock::now();
  Bench bench(argv[1], precision_named(argv[2]));
  std::cout << "loaded " << milliseconds_since(start) << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    std::cout << bench.answer(line) << std::endl;
  }
}
