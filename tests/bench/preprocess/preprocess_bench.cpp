// From a JPEG's bytes to a model's input: Sluice's nodes beside OpenCV, by turns.
//
//   preprocess_bench width=500 height=375 to=224 [rounds=11] [pictures=8] [only=NAME]
//
// Prints the microseconds a picture of each way, medians of the rounds, and medians of the rounds'
// ratios. `only` runs one way alone, for a profiler. Ends with 1, and measures nothing, when the
// ways give what differs by more than rounding.
#include "sluice/core/node_harness.h"
#include "sluice/core/payloads.h"

#include "tests/bench/engine/workload.h"
#include "tests/bench/preprocess/photos.h"

#include <opencv2/dnn.hpp>
#include <opencv2/imgcodecs.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace sluice::bench {
namespace {

using FileBytes = std::vector<std::uint8_t>;
using OptionList = NodeHarness::OptionList;

constexpr double kMean[] = {0.485, 0.456, 0.406};
constexpr double kStd = 0.226;  // blobFromImage knows but one for all channels
constexpr float kRounding = 1e-5F;
constexpr double kPixelsOfATurn = 4e6;  // of each picture, so that a turn takes about 0.1 s

OptionList recipe(int side, const char* filter) {
  return {{"width", std::int64_t{side}},
          {"height", std::int64_t{side}},
          {"mean", NumberList(std::begin(kMean), std::end(kMean))},
          {"std", kStd},
          {"filter", filter}};
}

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "preprocess_bench: %s\n", why.c_str());
  std::exit(1);
}

void open(NodeHarness& node) {
  if (const Status status = node.open(); !status) give_up(status.message());
}

PayloadRef run(NodeHarness& node, const char* input, const PayloadRef& payload) {
  const auto done = node.process({{input, payload}});
  if (!done.status) give_up(done.status.message());
  return done.out().at(0);
}

// The two nodes of pipelines in which others read the picture too.
class TwoNodes {
 public:
  TwoNodes(int side, const char* filter) : to_tensor_("image.to_tensor", recipe(side, filter)) {
    to_tensor_.ignore_output("map");
    open(decode_);
    open(to_tensor_);
  }
  Tensor operator()(const PayloadRef& file) {
    return run(to_tensor_, "image", run(decode_, "bytes", file)).get<Tensor>();
  }

 private:
  NodeHarness decode_{"image.decode"};
  NodeHarness to_tensor_;
};

// The node that does the work of both.
class OneNode {
 public:
  OneNode(int side, const char* filter) : node_("image.decode_to_tensor", recipe(side, filter)) {
    node_.ignore_output("map");
    open(node_);
  }
  Tensor operator()(const PayloadRef& file) { return run(node_, "bytes", file).get<Tensor>(); }

 private:
  NodeHarness node_;
};

// `picture` is where the decoded one is put: empty as most programs have it, or kept.
cv::Mat opencv(const FileBytes& file, int side, cv::Mat& picture) {
  cv::imdecode(file, cv::IMREAD_COLOR, &picture);
  const cv::Scalar mean(255 * kMean[0], 255 * kMean[1], 255 * kMean[2]);
  return cv::dnn::blobFromImage(picture, 1 / (255 * kStd), {side, side}, mean, /*swapRB=*/true,
                                /*crop=*/false);
}

float largest_difference(std::span<const float> a, std::span<const float> b) {
  if (a.size() != b.size()) give_up("the tensors differ in size");
  float largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

struct Way {
  std::string name;
  std::function<void(std::size_t picture)> run;
  std::vector<double> us = {};  // a picture, by round
};

class Bench {
 public:
  Bench(cv::Size size, int side, std::uint64_t pictures)
      : side_(side),
        times_(std::max(1, static_cast<int>(kPixelsOfATurn / size.area()))),
        one_(side, "bilinear"),
        two_(side, "bilinear"),
        one_antialias_(side, "antialias"),
        two_antialias_(side, "antialias") {
    for (std::uint32_t seed = 0; seed < pictures; ++seed) {
      files_.push_back(photo_file(size, seed));
      bytes_ += files_.back().size();
      auto buffer = Buffer::allocate(files_.back().size());
      if (!buffer) give_up(buffer.status().message());
      std::memcpy(buffer->data(), files_.back().data(), files_.back().size());
      payloads_.push_back(PayloadRef::make(Bytes{std::move(*buffer), "photo.jpg"}));
    }
    ways_ = {{"one_node", [this](std::size_t i) { one_(payloads_[i]); }},
             {"two_nodes", [this](std::size_t i) { two_(payloads_[i]); }},
             {"one_node_antialias", [this](std::size_t i) { one_antialias_(payloads_[i]); }},
             {"two_nodes_antialias", [this](std::size_t i) { two_antialias_(payloads_[i]); }},
             {"opencv",
              [this](std::size_t i) {
                cv::Mat picture;
                opencv(files_[i], side_, picture);
              }},
             {"opencv_reusing", [this](std::size_t i) { opencv(files_[i], side_, kept_); }}};
  }

  double bits_a_file() const {
    return 8.0 * static_cast<double>(bytes_) / static_cast<double>(files_.size());
  }

  // What OpenCV gives is to differ by rounding alone, and what one node gives from two not at all.
  float compare() {
    float largest = 0;
    for (std::size_t i = 0; i < files_.size(); ++i) {
      const Tensor ours = one_(payloads_[i]);
      cv::Mat picture;
      const cv::Mat theirs = opencv(files_[i], side_, picture);
      largest = std::max(
          largest, largest_difference(ours.span<float>(), {theirs.ptr<float>(), theirs.total()}));
      if (largest_difference(ours.span<float>(), two_(payloads_[i]).span<float>()) != 0 ||
          largest_difference(one_antialias_(payloads_[i]).span<float>(),
                             two_antialias_(payloads_[i]).span<float>()) != 0) {
        give_up("one node gives something else than two");
      }
    }
    if (largest > kRounding) give_up("OpenCV gives something else: by " + std::to_string(largest));
    return largest;
  }

  void measure(std::uint64_t rounds, const std::string& only) {
    for (std::uint64_t round = 0; round < rounds; ++round) {
      for (Way& way : ways_) {
        if (!only.empty() && only != way.name) continue;
        const std::int64_t started = now_ns();
        for (int time = 0; time < times_; ++time)
          for (std::size_t i = 0; i < files_.size(); ++i) way.run(i);
        way.us.push_back(static_cast<double>(now_ns() - started) / 1e3 / times_ /
                         static_cast<double>(files_.size()));
      }
    }
  }

  double us(const std::string& name) const { return percentile(of(name).us, 0.5); }
  // How many times as many pictures a second as `other`.
  double over(const std::string& name, const std::string& other) const {
    std::vector<double> ratios;
    for (std::size_t round = 0; round < of(name).us.size(); ++round)
      ratios.push_back(of(other).us[round] / of(name).us[round]);
    return percentile(ratios, 0.5);
  }
  const std::vector<Way>& ways() const { return ways_; }

 private:
  const Way& of(const std::string& name) const {
    return *std::find_if(ways_.begin(), ways_.end(),
                         [&](const Way& way) { return way.name == name; });
  }

  int side_;
  int times_;
  OneNode one_;
  TwoNodes two_;
  OneNode one_antialias_;
  TwoNodes two_antialias_;
  cv::Mat kept_;
  std::vector<FileBytes> files_;
  std::vector<PayloadRef> payloads_;
  std::size_t bytes_ = 0;
  std::vector<Way> ways_;
};

}  // namespace
}  // namespace sluice::bench

int main(int argc, char** argv) {
  using namespace sluice::bench;
  const Arguments arguments(argc, argv);
  const cv::Size size(static_cast<int>(arguments.count("width", 500)),
                      static_cast<int>(arguments.count("height", 375)));
  const int side = static_cast<int>(arguments.count("to", 224));
  const std::string only = arguments.text("only", "");
  cv::setNumThreads(1);

  Bench bench(size, side, arguments.count("pictures", 8));
  const float difference = bench.compare();
  bench.measure(arguments.count("rounds", 11), only);

  std::vector<std::pair<std::string, double>> figures;
  if (!only.empty()) {
    figures = {{only + "_us", bench.us(only)}};
  } else {
    for (const auto& way : bench.ways()) figures.emplace_back(way.name + "_us", bench.us(way.name));
    for (const char* ours : {"one_node", "two_nodes", "one_node_antialias", "two_nodes_antialias"})
      figures.emplace_back(std::string(ours) + "_over_opencv", bench.over(ours, "opencv"));
    figures.emplace_back("one_node_over_opencv_reusing", bench.over("one_node", "opencv_reusing"));
  }
  figures.emplace_back("bits_per_pixel", bench.bits_a_file() / size.area());
  figures.emplace_back("difference", difference);
  print_figures(figures);
  return 0;
}
