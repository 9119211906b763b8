// How often the engine asks the heap for memory, per item, once it is warm.
//
//   allocation_bench case=number|tensor|image|infer [items=N]
//
// number: four stages that pass a registered 8-byte payload on. tensor: the same for a tensor that
// the source allocates. image: a JPEG decoded and made a tensor. infer: a tensor through a small
// model.
#include "sluice/core/registry.h"
#include "sluice/graphs/builder.h"

#include "tests/bench/engine/bench_nodes.h"
#include "tests/bench/engine/counted_malloc.h"
#include "tests/bench/engine/engine_pipeline.h"
#include "tests/nodes/infer/graph/onnx_writer.h"
#include "tests/support/temp_folder.h"

#include <algorithm>
#include <chrono>
#include <cstdio>

namespace sluice::bench {
namespace {

constexpr int kSide = 32;  // of the tensors, in pixels

// Borrowed by the nodes of the pipeline at work.
Meter* meter = nullptr;
Bytes picture;

class TensorSource final : public Node {
 public:
  inline static const Out<Tensor> out{"out", "zeros"};
  inline static const Spec kSpec =
      Spec("bench.tensors", "Allocates a tensor for each item.").ports(out).source();

  Result<Ports> resolve(Resolve& plan) override {
    Ports ports = plan.declared();
    ports.outputs[0].type.tensor =
        TensorType{DType::kF32, std::vector<Dim>{{3, ""}, {kSide, ""}, {kSide, ""}}, ""};
    return ports;
  }
  Result<Next> next(SourceContext& ctx) override {
    std::uint64_t number = 0;
    if (!meter->next(number)) return Next::kEnd;
    auto tensor = ctx.allocate_tensor(DType::kF32, {3, kSide, kSide});
    if (!tensor) return tensor.status();
    std::fill_n(tensor->data<float>(), 3 * kSide * kSide, 0.0F);
    ctx.emit(out, std::move(*tensor));
    return Next::kItem;
  }
};

class PictureSource final : public Node {
 public:
  inline static const Out<Bytes> out{"out", "the same JPEG file again and again"};
  inline static const Spec kSpec =
      Spec("bench.pictures", "Gives a picture for each item.").ports(out).source();

  Status open(Context&, std::size_t) override {
    payload_ = PayloadRef::make(picture);
    return Status::ok();
  }
  Result<Next> next(SourceContext& ctx) override {
    std::uint64_t number = 0;
    if (!meter->next(number)) return Next::kEnd;
    ctx.emit(out, PayloadRef(payload_));
    return Next::kItem;
  }

 private:
  PayloadRef payload_;
};

[[maybe_unused]] const bool kRegistered =
    register_node<TensorSource>() && register_node<PictureSource>();

// A photo's worth of detail, so that the decoder has something to do.
Bytes jpeg_in(const testing::TempFolder& folder) {
  auto image = Image::allocate(640, 480, 3);
  for (int y = 0; y < image->height(); ++y) {
    for (int x = 0; x < image->width() * 3; ++x)
      image->row(y)[x] = static_cast<std::uint8_t>(x * y / 64 + x);
  }
  GraphBuilder graph("picture");
  graph.node("in", "app_in").option("payload", "Image");
  graph.node("out", "image.write").from("in").option("path", folder.path("picture.jpg"));
  Pipeline pipeline = started_pipeline(graph.build());
  pipeline.input<Image>("in").push(std::move(*image));
  pipeline.drain(std::chrono::seconds(60));

  const std::string file = folder.read("picture.jpg");
  auto data = Buffer::allocate(file.size());
  std::copy(file.begin(), file.end(), reinterpret_cast<char*>(data->data()));
  return {std::move(*data), "picture.jpg"};
}

std::string small_model() {
  using testing::OnnxWriter;
  auto weights = Tensor::allocate(DType::kF32, {8, 3, 3, 3});
  std::fill_n(weights->data<float>(), 8 * 3 * 3 * 3, 0.01F);
  return OnnxWriter()
      .input("x", {"N", 3, kSide, kSide})
      .constant("w", *weights)
      .node("Conv", {"x", "w"}, {"c"})
      .node("Relu", {"c"}, {"r"})
      .node("GlobalAveragePool", {"r"}, {"y"})
      .output("y")
      .save("small.onnx");
}

GraphSpec graph_of(const std::string& name, const testing::TempFolder& folder) {
  GraphBuilder graph("allocations");
  std::string last = "source";
  if (name == "image") {
    picture = jpeg_in(folder);
    graph.node("source", "bench.pictures");
    graph.node("decoded", "image.decode").from("source");
    graph.node("x", "image.to_tensor").from("decoded").option("width", 224).option("height", 224);
    last = "x";
  } else if (name == "infer") {
    graph.node("source", "bench.tensors");
    graph.node("model", "infer").from("source").option("model", small_model());
    last = "model";
  } else {
    graph.node("source", name == "tensor" ? "bench.tensors" : "bench.count");
    for (const char* stage : {"a", "b", "c", "d"}) {
      graph.node(stage, "bench.work").from(last);
      last = stage;
    }
  }
  graph.node("sink", "bench.arrive").from(last);
  return graph.build();
}

// What each thread keeps of the pool takes some thousand items to reach its size, and with bursts or
// a model, whose tensors threads pass to each other, some ten thousand.
std::uint64_t usual_items(const std::string& name) {
  return name == "image" ? 8'000 : name == "infer" ? 400'000 : 200'000;
}

int run(const Arguments& arguments) {
  const std::string name = arguments.text("case", "number");
  if (name != "number" && name != "tensor" && name != "image" && name != "infer") {
    std::fprintf(stderr, "unknown case `%s`\n", name.c_str());
    return 2;
  }
  const testing::TempFolder folder;
  const GraphSpec graph = graph_of(name, folder);
  Meter items(Probe::kThroughput, arguments.count("items", usual_items(name)), allocations);
  meter = &items;
  set_meter(0, items);
  const Report report = started_pipeline(graph).wait();
  print_figures({{"allocations_per_item", items.counted_per_item()},
                 {"ns_per_item", items.ns_per_item()},
                 {"disorder", static_cast<double>(items.disorder())}});
  if (report.items.delivered == items.items()) return 0;
  std::fprintf(stderr, "%s\n", report.to_text().c_str());
  return 1;
}

}  // namespace
}  // namespace sluice::bench

int main(int argc, char** argv) { return sluice::bench::run(sluice::bench::Arguments(argc, argv)); }
