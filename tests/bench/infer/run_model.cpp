// Runs one model for tests/bench/infer/compare.py, which drives it line by line so that its runs
// and those of another engine alternate.
//   run_model MODEL.onnx
// Commands on stdin, one answer line each on stdout; "error ..." ends it with status 1.
//   input FILE 1,3,32,32   the model's next input: raw f32, row-major; `clear` forgets them
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

template <class T>
T value_or_fail(Result<T> result) {
  if (!result) fail(result.status().message());
  return std::move(*result);
}

Tensor read_tensor(const std::string& path, std::string dims) {
  std::replace(dims.begin(), dims.end(), ',', ' ');
  std::istringstream words(dims);
  Shape shape;
  for (std::int64_t dim = 0; words >> dim;) shape.push_back(dim);
  Tensor tensor = value_or_fail(Tensor::allocate(DType::kF32, shape));
  std::ifstream file(path, std::ios::binary);
  if (!file.read(reinterpret_cast<char*>(tensor.raw()),
                 static_cast<std::streamsize>(tensor.size_bytes()))) {
    fail(path + " is shorter than its shape says");
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
  explicit Bench(const std::string& path) {
    const Backend* native = find_backend("native");
    if (native == nullptr) fail("the native backend is not linked");
    model_ = value_or_fail(native->load(path, {}));
    session_ = value_or_fail(model_->new_session());
  }

  std::string answer(const std::string& line) {
    std::istringstream words(line);
    std::string command, first;
    words >> command >> first;
    if (command == "input") {
      std::string dims;
      words >> dims;
      inputs_.push_back(read_tensor(first, dims));
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
    fail("unknown command " + command);
  }

 private:
  std::vector<Tensor> run(Session& session) const {
    return value_or_fail(session.run(inputs_, nullptr));
  }

  static std::string write(const std::vector<Tensor>& outputs, const std::string& prefix) {
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
  if (argc != 2) fail("usage: run_model MODEL.onnx");
  const auto start = Clock::now();
  Bench bench(argv[1]);
  std::cout << "loaded " << milliseconds_since(start) << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    std::cout << bench.answer(line) << std::endl;
  }
}
