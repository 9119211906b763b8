#include "tests/gpu/support/models.h"

#include "tests/gpu/support/net_writer.h"
#include "tests/nodes/infer/gpu/emulated_gpu.h"

#include <cmath>
#include <random>
#include <utility>

namespace sluice::gpu_suite {
namespace {

using testing::OnnxDim;

constexpr int kClasses = 1000;
constexpr int kTokens = 128;
constexpr int kWords = 30522;

void end_with_scores(NetWriter& net, std::string x, std::int64_t channels, Ending ending) {
  x = net.node("GlobalAveragePool", {x});
  x = net.node("Flatten", {x});
  x = net.dense(x, channels, kClasses);
  if (ending == Ending::kScores) {
    net.output(x);
    return;
  }
  const auto best = net.nodes("TopK", {x, net.whole_numbers({5})}, 2);
  net.output(best[0]);
  net.output(best[1], DType::kI64);
}

// He and others, "Deep residual learning"; the stride in the 3 x 3 convolution (v1.5).
std::string bottleneck(NetWriter& net, const std::string& x, std::int64_t in, std::int64_t middle,
                       std::int64_t stride) {
  const std::int64_t out = 4 * middle;
  std::string y = net.relu(net.conv(x, {in, middle, 1}));
  y = net.relu(net.conv(y, {middle, middle, 3, stride}));
  // Small, as trained ones are, so that sums over many blocks stay in the range of fp16.
  y = net.conv(y, {middle, out, 1, 1, 1, 0.3F});
  const std::string shortcut =
      in == out && stride == 1 ? x : net.conv(x, {in, out, 1, stride, 1, 0.7F});
  return net.relu(net.node("Add", {y, shortcut}));
}

void write_resnet50(NetWriter& net, Ending ending) {
  std::string x = net.input("x", {OnnxDim("N"), 3, 224, 224});
  x = net.relu(net.conv(x, {3, 64, 7, 2}));
  x = net.node("MaxPool", {x},
               {testing::attribute("kernel_shape", std::vector<std::int64_t>{3, 3}),
                testing::attribute("strides", std::vector<std::int64_t>{2, 2}),
                testing::attribute("pads", std::vector<std::int64_t>{1, 1, 1, 1})});
  std::int64_t channels = 64;
  struct Stage {
    std::int64_t middle;
    int blocks;
    std::int64_t stride;
  };
  for (const Stage& stage : {Stage{64, 3, 1}, {128, 4, 2}, {256, 6, 2}, {512, 3, 2}}) {
    for (int block = 0; block < stage.blocks; ++block) {
      x = bottleneck(net, x, channels, stage.middle, block == 0 ? stage.stride : 1);
      channels = 4 * stage.middle;
    }
  }
  end_with_scores(net, x, channels, ending);
}

// Sandler and others, "MobileNetV2: inverted residuals and linear bottlenecks", table 2.
void write_mobilenetv2(NetWriter& net, Ending ending) {
  std::string x = net.input("x", {OnnxDim("N"), 3, 224, 224});
  x = net.relu6(net.conv(x, {3, 32, 3, 2}));
  std::int64_t channels = 32;
  struct Stage {
    std::int64_t expansion, out;
    int blocks;
    std::int64_t stride;
  };
  for (const Stage& stage : {Stage{1, 16, 1, 1},
                             {6, 24, 2, 2},
                             {6, 32, 3, 2},
                             {6, 64, 4, 2},
                             {6, 96, 3, 1},
                             {6, 160, 3, 2},
                             {6, 320, 1, 1}}) {
    for (int block = 0; block < stage.blocks; ++block) {
      const std::int64_t stride = block == 0 ? stage.stride : 1;
      const std::int64_t middle = channels * stage.expansion;
      std::string y = stage.expansion == 1 ? x : net.relu6(net.conv(x, {channels, middle, 1}));
      y = net.relu6(net.conv(y, {middle, middle, 3, stride, middle}));
      y = net.conv(y, {middle, stage.out, 1, 1, 1, 0.7F});
      x = stride == 1 && channels == stage.out ? net.node("Add", {x, y}) : y;
      channels = stage.out;
    }
  }
  x = net.relu6(net.conv(x, {channels, 1280, 1}));
  end_with_scores(net, x, 1280, ending);
}

constexpr std::int64_t kWidth = 384, kHeads = 12, kInner = 1536;

std::string heads_of(NetWriter& net, const std::string& x, const std::vector<std::int64_t>& order) {
  std::string y = net.dense(x, kWidth, kWidth);
  y = net.node("Reshape", {y, net.whole_numbers({0, 0, kHeads, kWidth / kHeads})});
  return net.node("Transpose", {y}, {testing::attribute("perm", order)});
}

// As exporters write it.
std::string gelu(NetWriter& net, const std::string& x) {
  std::string y = net.node("Div", {x, net.number(std::sqrt(2.0F))});
  y = net.node("Add", {net.node("Erf", {y}), net.number(1)});
  return net.node("Mul", {net.node("Mul", {x, y}), net.number(0.5F)});
}

std::string encoder(NetWriter& net, const std::string& x, const std::string& mask) {
  const std::string q = heads_of(net, x, {0, 2, 1, 3});
  const std::string kt = heads_of(net, x, {0, 2, 3, 1});
  const std::string v = heads_of(net, x, {0, 2, 1, 3});
  const float root = std::sqrt(static_cast<float>(kWidth / kHeads));
  std::string y = net.node("Div", {net.node("MatMul", {q, kt}), net.number(root)});
  y = net.node("Softmax", {net.node("Add", {y, mask})},
               {testing::attribute("axis", std::int64_t{-1})});
  y = net.node("Transpose", {net.node("MatMul", {y, v})},
               {testing::attribute("perm", std::vector<std::int64_t>{0, 2, 1, 3})});
  y = net.node("Reshape", {y, net.whole_numbers({0, 0, kWidth})});
  y = net.layer_norm(net.node("Add", {net.dense(y, kWidth, kWidth), x}), kWidth);
  const std::string inner = gelu(net, net.dense(y, kWidth, kInner));
  return net.layer_norm(net.node("Add", {net.dense(inner, kInner, kWidth), y}), kWidth);
}

// all-MiniLM-L6-v2's encoder: BERT with 6 layers of 384, and the mean over the tokens.
void write_minilm(NetWriter& net) {
  const std::string ids = net.input("input_ids", {OnnxDim("N"), kTokens}, DType::kI64);
  std::string mask = net.input("attention_mask", {OnnxDim("N"), kTokens}, DType::kI64);
  mask = net.node("Unsqueeze", {mask, net.whole_numbers({1, 2})});
  mask = net.node("Cast", {mask}, {testing::attribute("to", std::int64_t{1})});
  mask = net.node("Mul", {net.node("Sub", {net.number(1), mask}), net.number(-10000)});
  std::string x = net.node("Gather", {net.weights({kWords, kWidth}, 1), ids});
  x = net.node("Add", {x, net.weights({kTokens, kWidth}, 1)});
  x = net.layer_norm(x, kWidth);
  for (int layer = 0; layer < 6; ++layer) x = encoder(net, x, mask);
  net.output(net.node("ReduceMean", {x},
                      {testing::attribute("axes", std::vector<std::int64_t>{1}),
                       testing::attribute("keepdims", std::int64_t{0})}));
}

void write_tiny(NetWriter& net, Ending ending) {
  std::string x = net.input("x", {OnnxDim("N"), 3, 16, 16});
  x = net.relu(net.conv(x, {3, 8, 3, 2}));
  const std::string y = net.relu6(net.conv(x, {8, 8, 3, 1, 8}));
  end_with_scores(net, net.node("Add", {x, y}), 8, ending);
}

Tensor made(DType dtype, const Shape& shape, const auto& value) {
  Tensor tensor = *Tensor::allocate(dtype, shape);
  for (std::int64_t i = 0; i < tensor.elements(); ++i) {
    if (dtype == DType::kI64) tensor.data<std::int64_t>()[i] = static_cast<std::int64_t>(value());
    if (dtype == DType::kF32) tensor.data<float>()[i] = static_cast<float>(value());
  }
  return tensor;
}

}  // namespace

std::vector<Tensor> TestModel::inputs(std::int64_t batch) const {
  std::mt19937 engine(static_cast<unsigned>(batch));
  std::vector<Tensor> all;
  for (const ModelPort& port : native->inputs()) {
    Shape shape;
    for (const Dim& dim : port.dims) shape.push_back(dim.is_static() ? dim.size : batch);
    const bool is_mask = port.name == "attention_mask";
    all.push_back(made(port.dtype, shape, [&]() -> double {
      if (is_mask) return 1;
      if (port.dtype == DType::kI64) return static_cast<double>(engine() % kWords);
      return static_cast<double>(engine()) * 0x1p-31 - 1;
    }));
  }
  return all;
}

Result<TestModel> make_model(const std::string& name, Ending ending) {
  NetWriter net;
  if (name == "resnet50") {
    write_resnet50(net, ending);
  } else if (name == "mobilenetv2") {
    write_mobilenetv2(net, ending);
  } else if (name == "minilm") {
    write_minilm(net);
  } else if (name == "tiny") {
    write_tiny(net, ending);
  } else {
    return unsupported("infer.unknown", "there is no test model `" + name + "`");
  }
  const std::string file = name + (ending == Ending::kTopK ? "_top5.onnx" : ".onnx");
  Result<std::shared_ptr<const Model>> native =
      find_backend("native")->load(net.save(file), ModelOptions());
  if (!native) return native.status();
  TestModel model;
  model.name = name;
  model.unit = name == "minilm" ? "sequences/s" : "images/s";
  model.graph = testing::graph_of(*native);
  model.native = std::move(*native);
  return model;
}

double relative_error(const std::vector<Tensor>& actual, const std::vector<Tensor>& expected) {
  if (actual.size() != expected.size()) return INFINITY;
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    if (actual[i].dtype() != expected[i].dtype() || actual[i].shape() != expected[i].shape()) {
      return INFINITY;
    }
    if (actual[i].dtype() != DType::kF32) continue;
    const std::span<float> a = actual[i].span<float>(), b = expected[i].span<float>();
    for (std::size_t k = 0; k < a.size(); ++k) {
      const double step = static_cast<double>(a[k]) - b[k];
      difference += step * step;
      norm += static_cast<double>(b[k]) * b[k];
    }
  }
  return std::sqrt(difference / norm);
}

}  // namespace sluice::gpu_suite
