#include "sluice/nodes/infer/native/tuner.h"

#include "sluice/nodes/infer/graph/importer.h"
#include "sluice/nodes/infer/native/native_model.h"

#include "tests/nodes/infer/graph/onnx_writer.h"
#include "tests/nodes/infer/kernels/values.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

#include <gtest/gtest.h>

#include <cmath>

namespace sluice::native {
namespace {

using testing::IsOk;
using testing::TempFolder;

// Candidates that take as long as they say, by a clock of their own.
class TunerTest : public ::testing::Test {
 protected:
  // Where the answer is after a question of these durations, `slow` and `fast`.
  std::string answer(Tuner& tuner, std::int64_t slow_ns, std::int64_t fast_ns,
                     const std::string& question = "question") {
    const Tuner::Candidate candidates[] = {
        {"slow", [this, slow_ns] { run(slow_ns); }},
        {"fast", [this, fast_ns] { run(fast_ns); }},
    };
    return std::string(candidates[tuner.fastest(question, candidates)].name);
  }
  void run(std::int64_t ns) {
    now_ns_ += ns;
    ++runs_;
  }
  Tuner tuner(const std::string& file) {
    return Tuner(file, [this] { return now_ns_; });
  }

  TempFolder folder_;
  const std::string file_ = folder_.path("cache/algorithms");
  std::int64_t now_ns_ = 0;
  int runs_ = 0;
};

TEST_F(TunerTest, ChoosesTheFastestAndRemembersIt) {
  Tuner tuner = this->tuner(file_);
  EXPECT_EQ(answer(tuner, 20, 10), "fast");
  const int runs = runs_;
  EXPECT_GT(runs, 2);

  EXPECT_EQ(answer(tuner, 10, 20), "fast");  // not timed again
  EXPECT_EQ(runs_, runs);
  EXPECT_EQ(answer(tuner, 10, 20, "another"), "slow");
}

TEST_F(TunerTest, JudgesByTheQuickestRunOfEach) {
  Tuner tuner = this->tuner("");
  int calls = 0;
  const Tuner::Candidate candidates[] = {
      {"steady", [this] { run(100); }},
      {"disturbed", [this, &calls] { run(++calls == 3 ? 50 : 1'000); }},
  };
  EXPECT_EQ(tuner.fastest("question", candidates), 1u);
}

TEST_F(TunerTest, KeepsItsAnswersInAFile) {
  {
    Tuner tuner = this->tuner(file_);
    answer(tuner, 20, 10);
    answer(tuner, 10, 20, "another");
  }
  runs_ = 0;
  Tuner later = tuner(file_);

  EXPECT_EQ(answer(later, 10, 20), "fast");
  EXPECT_EQ(answer(later, 20, 10, "another"), "slow");
  EXPECT_EQ(runs_, 0);
}

TEST_F(TunerTest, PassesOverWhatIsNoAnswer) {
  const std::string file =
      folder_.write("damaged", "no tab\n\nquestion\tgone\nother\tfast\nquestion\tslo");
  Tuner tuner = this->tuner(file);

  EXPECT_EQ(answer(tuner, 20, 10), "fast");  // `gone` is no candidate, `slo` no whole line
  EXPECT_GT(runs_, 0);
  EXPECT_EQ(answer(tuner, 10, 20, "other"), "fast");

  runs_ = 0;
  Tuner later = this->tuner(file);
  EXPECT_EQ(answer(later, 10, 20), "fast");  // was added behind the line that is not whole
  EXPECT_EQ(runs_, 0);
}

TEST_F(TunerTest, TakesTheLastOfTwoAnswers) {
  Tuner tuner = this->tuner(folder_.write("twice", "question\tslow\nquestion\tfast\n"));

  EXPECT_EQ(answer(tuner, 10, 20), "fast");
}

TEST_F(TunerTest, DoesWithoutAFile) {
  Tuner none = tuner("");
  EXPECT_EQ(answer(none, 20, 10), "fast");

  folder_.write("file", "");
  Tuner unwritable = tuner(folder_.path("file/algorithms"));
  EXPECT_EQ(answer(unwritable, 20, 10), "fast");
  EXPECT_EQ(answer(unwritable, 10, 20), "fast");

  Tuner pipe = tuner(folder_.make_pipe("pipe"));
  EXPECT_EQ(answer(pipe, 20, 10), "fast");
}

Tensor varied(const Shape& shape, std::uint32_t seed) {
  Tensor tensor = *Tensor::allocate(DType::kF32, shape);
  const auto values = kernels::test::random_floats(tensor.elements(), seed);
  std::copy(values.begin(), values.end(), tensor.data<float>());
  return tensor;
}

// What a model of one 3x3 convolution gives for one image, with a tuner or by rule.
Result<Tensor> computed(const std::string& model, const Tensor& image, kernels::Precision precision,
                        Tuner* tuner) {
  Result<graph::Graph> graph = graph::import_onnx(model, {});
  if (!graph) return graph.status();
  const auto made = NativeModel::make(std::move(*graph), precision, tuner);
  if (!made) return made.status();
  const auto session = (*made)->new_session();
  if (!session) return session.status();
  const auto outputs = (*session)->run({&image, 1}, nullptr);
  if (!outputs) return outputs.status();
  return std::move(outputs->front());
}

class TunedModel : public TunerTest, public ::testing::WithParamInterface<kernels::Precision> {};

TEST_P(TunedModel, GivesTheSameWhicheverAlgorithmIsChosen) {
  if (kernels::simd_kernels(kernels::isa()) == nullptr) {
    GTEST_SKIP() << "this CPU has no kernels to choose between";
  }
  const std::string model =
      testing::OnnxWriter()
          .input("x", {1, 32, 24, 24})
          .constant("w", varied({32, 32, 3, 3}, 1))
          .node("Conv", {"x", "w"}, {"y"},
                {testing::attribute("pads", std::vector<std::int64_t>{1, 1, 1, 1})})
          .output("y")
          .save("tuned.onnx");
  const Tensor image = varied({1, 32, 24, 24}, 2);
  const Result<Tensor> by_rule = computed(model, image, kernels::Precision::kFp32, nullptr);
  ASSERT_THAT(by_rule, IsOk());

  // By a clock that goes on with each look, the shorter candidate is the one it likes.
  for (const bool likes_first : {true, false}) {
    std::int64_t looks = 0;
    Tuner tuner("", [this, &looks, likes_first] {
      // Looks come in pairs, around the first candidate and around the second by turns.
      const bool is_first = looks++ / 2 % 2 == 0;
      return now_ns_ += is_first == likes_first ? 1 : 100;
    });
    const Result<Tensor> tuned = computed(model, image, GetParam(), &tuner);
    ASSERT_THAT(tuned, IsOk());
    EXPECT_GT(looks, 0);
    const float tolerance = GetParam() == kernels::Precision::kFp32 ? 1e-3F : 0.2F;
    for (std::int64_t i = 0; i < tuned->elements(); ++i) {
      ASSERT_NEAR(tuned->data<float>()[i], by_rule->data<float>()[i], tolerance) << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Precisions, TunedModel,
                         ::testing::Values(kernels::Precision::kFp32, kernels::Precision::kBf16),
                         [](const auto& info) {
                           return info.param == kernels::Precision::kFp32 ? "fp32" : "bf16";
                         });

}  // namespace
}  // namespace sluice::native
