#include "sluice/graphs/make_plan.h"
#include "sluice/nodes/image/tensor_step.h"
#include "sluice/nodes/tensor/axis_step.h"
#include "sluice/runtime/lanes/sim_device.h"
#include "sluice/runtime/pipeline.h"

#include "tests/nodes/image/pictures.h"
#include "tests/nodes/infer/gpu/emulated_gpu.h"
#include "tests/support/status_matchers.h"
#include "tests/support/tensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <utility>
#include <vector>

// The nodes beside `infer` that run on a device: what they give and reject there is what they give
// and reject on the CPU.

namespace sluice {
namespace {

using ::testing::HasSubstr;
using testing::image_of;
using testing::IsOk;
using testing::tensor_of;
using testing::values_of;

constexpr std::chrono::seconds kLongEnough{30};  // only waited for where the engine is broken
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// What became of each item: its tensor's bytes, or why it was rejected.
template <class T>
std::vector<std::string> run(const std::string& node, const std::string& device,
                             const std::vector<T>& items, const std::string& port = "") {
  // The first output of a node is read, or its pipeline does not load.
  const std::string rest = port == ".value" ? "  rest: { type: discard, from: node }\n" : "";
  PipelineResult loaded =
      Pipeline::load(plan_text("nodes:\n  in: { type: app_in, payload: " + payload_type<T>().name +
                                   " }\n  node: { " + node + ", from: in, device: " + device +
                                   " }\n  end: { type: app_out, from: node" + port + " }\n" + rest,
                               "test.yaml"));
  if (!loaded) return {loaded.error()};
  Pipeline pipeline = std::move(*loaded);
  pipeline.output<Tensor>("end", [](const Tensor&) {});
  EXPECT_THAT(pipeline.start(), IsOk());
  Input<T> input = pipeline.input<T>("in");
  std::vector<Ticket> tickets;
  for (const T& item : items) tickets.push_back(input.push(item));
  std::vector<std::string> became;
  for (const Ticket& ticket : tickets) {
    ticket.wait();
    const Tensor* const tensor = ticket.reply<Tensor>();
    became.push_back(
        tensor == nullptr
            ? std::string(ticket.status().reason()) + ": " + ticket.status().message()
            : std::string(to_string(tensor->dtype())) + tensor->shape().to_string() +
                  std::string(reinterpret_cast<const char*>(tensor->raw()), tensor->size_bytes()));
  }
  pipeline.drain(kLongEnough);
  return became;
}

// Tensors of a few shapes with many equal values; some are refused, and some hold a NaN.
std::vector<Tensor> random_tensors(unsigned seed) {
  std::mt19937 random(seed);
  const auto up_to = [&](int most) { return std::uniform_int_distribution<int>(1, most)(random); };
  std::vector<Tensor> tensors;
  for (int i = 0; i < 20; ++i) {
    const Shape shape = up_to(3) == 1 ? Shape{up_to(12)} : Shape{up_to(3), up_to(12), up_to(4)};
    std::vector<float> values(static_cast<std::size_t>(shape.elements()));
    for (float& value : values) value = static_cast<float>(up_to(9)) / 2 - 2;
    if (up_to(8) == 1) values[values.size() / 2] = kNan;
    tensors.push_back(tensor_of<float>(shape, values));
    if (up_to(8) == 1) tensors.push_back(tensor_of<std::int64_t>({1}, {7}));
  }
  const Tensor square = tensor_of<float>({3, 2}, {1, 2, 3, 4, 5, 6});
  tensors.emplace_back(DType::kF32, Shape{2, 3}, Shape{1, 2}, square.buffer(), 0);
  tensors.push_back(*Tensor::allocate(DType::kF32, {0, 4}));
  return tensors;
}

TEST(NodesOnADevice, GiveAndRejectWhatTheyDoOnTheCpu) {
  for (unsigned seed = 0; seed < 8; ++seed) {
    const std::vector<Tensor> tensors = random_tensors(seed);
    const std::string axis = std::to_string(static_cast<int>(seed % 4) - 2);
    const auto expect_equal = [&](const std::string& node, const std::string& port) {
      const std::string all = "type: " + node + ", axis: " + axis;
      EXPECT_EQ(run(all, "sim", tensors, port), run(all, "cpu", tensors, port))
          << all << port << " seed " << seed;
    };
    expect_equal("softmax", "");
    expect_equal("argmax", ".out");
    expect_equal("argmax", ".value");
    expect_equal("topk, k: 2", ".scores");
    expect_equal("topk, k: 2", ".indices");
  }
}

TEST(NodesOnADevice, TakeTensorsThatCanBePutTogether) {
  const Tensor seven = tensor_of<float>(Shape{1, 1, 1, 1, 1, 2, 2}, {1, 2, 3, 4});
  const Tensor eight = tensor_of<float>(Shape{1, 1, 1, 1, 1, 1, 2, 2}, {1, 2, 3, 4});

  const std::vector<std::string> became = run<Tensor>("type: softmax", "sim", {seven, eight});

  EXPECT_EQ(became[0], run<Tensor>("type: softmax", "cpu", {seven})[0]);
  EXPECT_EQ(became[1], "lane.input: a tensor of 8 axes; on a device it may have 7");
}

Image noise(int width, int height, int channels) {
  return image_of(width, height, channels, [](int x, int y, int c) {
    return (x * 37 + y * 101 + c * 59 + x * y * 13) % 256;
  });
}

std::vector<Image> pictures() {
  return {noise(20, 10, 3), noise(9, 31, 3), noise(16, 16, 1), noise(30, 14, 4), noise(1, 1, 3)};
}

TEST(NodesOnADevice, MakePicturesIntoTheTensorsOfTheCpu) {
  for (const std::string& how :
       {std::string("width: 8, height: 6"), std::string("height: 5, layout: hwc, channels: bgr"),
        std::string("width: 7, height: 7, filter: antialias, mean: [0.4, 0.5, 0.6], std: 0.2"),
        std::string("long_side: 12, multiple_of: 4")}) {
    const std::string node = "type: image.to_tensor, " + how;
    EXPECT_EQ(run(node, "sim", pictures()), run(node, "cpu", pictures())) << how;
  }
}

TEST(NodesOnADevice, SayWhatIsComputedOnTheCpuAlone) {
  for (const auto& [how, option] : {std::pair("fit: crop", "fit"),
                                    {"channels: grey", "channels"},
                                    {"filter: cubic", "filter"}}) {
    const std::string node = std::string("type: image.to_tensor, width: 4, height: 4, ") + how;
    const std::string error = run(node, "sim", std::vector<Image>()).at(0);
    EXPECT_THAT(error, HasSubstr("SL0510"));
    EXPECT_THAT(error, HasSubstr("`" + std::string(how) + "` is computed on the CPU"));
    EXPECT_THAT(error, HasSubstr("another `" + std::string(option) + "`"));
    EXPECT_TRUE(run(node, "cpu", std::vector<Image>()).empty());
  }
  EXPECT_THAT(run("type: topk, k: 300", "sim", std::vector<Tensor>(), ".scores").at(0),
              HasSubstr("SL0510"));
}

#ifdef SLUICE_EMULATED_CUDA

// What the step's operators give on a device that has some; recorded, and then repeated.
std::vector<Tensor> by_operators(std::shared_ptr<const gpu::DeviceStep> step, const Tensor& input) {
  const std::shared_ptr<Device> device = testing::emulated_gpu();
  const auto programs = gpu::make_step_programs(std::move(step), "step", *device, 1);
  EXPECT_THAT(programs.status(), IsOk());
  DeviceProgram& program = *programs->front();
  const std::vector<Tensor> inputs{input};
  const Result<DeviceProgram::Plan> plan = program.plan(inputs);
  EXPECT_THAT(plan.status(), IsOk());
  std::vector<Tensor> outputs;
  for (const TensorSpec& output : plan->outputs) {
    outputs.push_back(*Tensor::allocate(output.dtype, output.shape));
  }
  for (int i = 0; i < 3; ++i) {
    for (const Tensor& output : outputs)
      std::fill_n(output.raw(), output.size_bytes(), std::byte{});
    EXPECT_THAT(program.run({nullptr, inputs, outputs, {}, plan->prepared}), IsOk());
  }
  return outputs;
}

std::vector<Tensor> by_host(const gpu::DeviceStep& step, const Tensor& input) {
  const Result<gpu::GpuPlan> plan = step.plan({&input, 1});
  EXPECT_THAT(plan.status(), IsOk());
  std::vector<Tensor> outputs;
  for (const TensorSpec& output : plan->outputs) {
    outputs.push_back(*Tensor::allocate(output.dtype, output.shape));
  }
  EXPECT_THAT(step.compute({&input, 1}, outputs), IsOk());
  return outputs;
}

void expect_near(const Tensor& got, const Tensor& expected, float tolerance) {
  ASSERT_EQ(got.shape(), expected.shape());
  const std::vector<float> values = values_of<float>(expected);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::isnan(values[i])) {
      EXPECT_TRUE(std::isnan(got.data<float>()[i])) << i;
    } else {
      EXPECT_NEAR(got.data<float>()[i], values[i], tolerance) << i;
    }
  }
}

TEST(NodesOnADevice, ComputeSoftmaxByAnOperator) {
  for (const Tensor& lines :
       {tensor_of<float>({1, 4, 1}, {1, -2, 3, 0.5F}),
        tensor_of<float>({2, 2, 2}, {1, kNan, 3, 4, 100, 200, 300, -400}),
        tensor_of<float>({1, 3, 1}, {1, std::numeric_limits<float>::infinity(), 2}),
        tensor_of<float>({1, 2, 1}, {-HUGE_VALF, -HUGE_VALF}), tensor_of<float>({0, 3, 2}, {})}) {
    const SoftmaxStep step(0);
    expect_near(by_operators(std::make_shared<SoftmaxStep>(0), lines)[0], by_host(step, lines)[0],
                1e-6F);
  }
}

TEST(NodesOnADevice, FindTheLargestByAnOperator) {
  const Tensor lines = tensor_of<float>({2, 4, 2}, {1, 5, 3, 5, 3, -0.0F, 2, 0.0F,  //
                                                    -1, -2, -3, -4, -1, -6, -7, -2});
  const LargestStep step(0, 3);

  const std::vector<Tensor> found = by_operators(std::make_shared<LargestStep>(0, 3), lines);
  const std::vector<Tensor> expected = by_host(step, lines);

  EXPECT_EQ(values_of<float>(found[0]), values_of<float>(expected[0]));
  EXPECT_EQ(values_of<std::int64_t>(found[1]), values_of<std::int64_t>(expected[1]));
}

TEST(NodesOnADevice, ShowANanAmongTheLargestByAnOperator) {
  const Tensor lines = tensor_of<float>({1, 3, 1}, {1, kNan, 3});

  EXPECT_TRUE(has_nan(by_operators(std::make_shared<LargestStep>(0, 1), lines)[0]));
  EXPECT_TRUE(has_nan(by_host(LargestStep(0, 1), lines)[0]));
}

// The emulated operators, and how many of them there are.
const sluice_cuda_api& counted_operators(int& live) {
  static int* counter;
  static sluice_cuda_api table;
  counter = &live;
  table = *testing::emulated_gpu()->operators();
  table.compile = [](sluice_cuda_lane* lane, const sluice_cuda_op* op,
                     sluice_cuda_compiled** made) {
    ++*counter;
    return testing::emulated_gpu()->operators()->compile(lane, op, made);
  };
  table.compiled_destroy = [](sluice_cuda_compiled* compiled) {
    --*counter;
    testing::emulated_gpu()->operators()->compiled_destroy(compiled);
  };
  return table;
}

TEST(NodesOnADevice, KeepABoundedNumberOfOperatorsForInputsOfAnySize) {
  int live = 0;
  int most = 0;
  SimOptions options;
  options.operators = &counted_operators(live);
  const auto device = std::make_shared<SimDevice>(Clock::system(), std::move(options));
  {
    const auto programs =
        *gpu::make_step_programs(std::make_shared<SoftmaxStep>(0), "step", *device, 1);
    DeviceProgram& program = *programs.front();
    const Tensor output = *Tensor::allocate(DType::kF32, {1, 2400});
    const Tensor firsts = *Tensor::allocate(DType::kF32, {1, 1});
    for (std::int64_t length = 1; length <= 2400; ++length) {
      const Tensor input(DType::kF32, {1, length}, output.buffer());
      const Result<DeviceProgram::Plan> plan = program.plan({&input, 1});
      const std::vector<Tensor> outputs{input, firsts};
      ASSERT_THAT(program.run({nullptr, {&input, 1}, outputs, {}, plan->prepared}), IsOk());
      most = std::max(most, live);
    }
  }
  EXPECT_GT(most, 4096);
  EXPECT_LT(most, 4500);
  EXPECT_EQ(live, 0);
}

// The CPU rounds to bytes on the way, as the libraries do whose filters it follows.
TEST(NodesOnADevice, MakePicturesIntoTensorsByAnOperator) {
  for (const Filter filter : {Filter::kBilinear, Filter::kAntialias}) {
    for (const Colours colours : {Colours::kRgb, Colours::kBgr}) {
      for (const Image& picture : pictures()) {
        TensorRecipe recipe;
        recipe.width = 8;
        recipe.height = 6;
        recipe.filter = filter;
        recipe.colours = colours;
        recipe.is_planar = picture.width() % 2 == 0;
        recipe.scales = {{{1, -3}, {2, 0}, {0.5F, 7}}};
        const Tensor one = pixels_of(picture);
        const Tensor pixels = one.reshaped(with_batch(one.shape(), 1));
        expect_near(by_operators(std::make_shared<TensorStep>(recipe), pixels)[0],
                    by_host(TensorStep(recipe), pixels)[0], 2 * 1.02F);
      }
    }
  }
}

#endif

}  // namespace
}  // namespace sluice
