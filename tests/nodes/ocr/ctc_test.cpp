#include "sluice/core/node_harness.h"

#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"
#include "tests/support/tensors.h"

#include <gtest/gtest.h>

#include <limits>

namespace sluice {
namespace {

using testing::FailsWith;
using testing::IsOk;
using testing::TempFolder;

using OptionList = NodeHarness::OptionList;

// Steps of which the class named is likeliest, at 0.8.
Tensor steps(const std::vector<std::int64_t>& likeliest, std::int64_t classes) {
  Tensor tensor =
      *Tensor::allocate(DType::kF32, {static_cast<std::int64_t>(likeliest.size()), classes});
  std::fill_n(tensor.data<float>(), tensor.elements(), 0.01F);
  for (std::size_t t = 0; t < likeliest.size(); ++t) {
    tensor.data<float>()[static_cast<std::int64_t>(t) * classes + likeliest[t]] = 0.8F;
  }
  return tensor;
}

PortType with_characters(const std::string& characters, std::optional<std::vector<Dim>> dims = {}) {
  PortType type = PortType::of<Tensor>();
  type.tensor = TensorType{DType::kF32, std::move(dims), ""};
  type.metadata = std::make_shared<const Metadata>(Metadata{{"character", characters}});
  return type;
}

NodeHarness::Run run_ctc(const Tensor& tensor, const std::string& characters = "a\nb\nc",
                         OptionList options = {}) {
  NodeHarness node("ocr.ctc", std::move(options));
  node.wire("steps", with_characters(characters));
  EXPECT_THAT(node.open(), IsOk());
  return node.process({{"steps", PayloadRef::make(tensor)}});
}

// What is read; "(filtered)" where nothing is given.
std::string read(const Tensor& tensor, const std::string& characters = "a\nb\nc",
                 OptionList options = {}) {
  const auto run = run_ctc(tensor, characters, std::move(options));
  EXPECT_THAT(run.status, IsOk());
  return run.out().empty() ? "(filtered)" : run.out()[0].get<TextLine>().text;
}

TEST(OcrCtc, DropsRepeatsAndBlanks) {
  EXPECT_EQ(read(steps({0, 1, 1, 0, 1, 2, 2, 3, 0}, 4)), "aabc");
  EXPECT_EQ(read(steps({1, 2, 1}, 4)), "aba");
}

TEST(OcrCtc, TakesTheClassBeyondTheListForASpace) {
  EXPECT_EQ(read(steps({1, 4, 4, 2}, 5)), "a b");
}

TEST(OcrCtc, GivesTheMeanOverTheCharactersAsScore) {
  Tensor tensor = steps({0, 1, 1, 2}, 4);
  tensor.data<float>()[0] = 0.99F;     // of the blank: does not count
  tensor.data<float>()[4 + 1] = 0.6F;  // the first of a repeat counts
  tensor.data<float>()[8 + 1] = 0.9F;
  const auto run = run_ctc(tensor);

  EXPECT_FLOAT_EQ(run.out().at(0).get<TextLine>().score, (0.6F + 0.8F) / 2);
}

TEST(OcrCtc, FiltersLinesOfNothing) {
  EXPECT_EQ(read(steps({}, 4)), "(filtered)");
  EXPECT_EQ(read(steps({0, 0, 0}, 4)), "(filtered)");
  EXPECT_EQ(read(steps({4, 0, 4}, 5)), "(filtered)");
  EXPECT_EQ(read(steps({1, 2}, 4), "\xE3\x80\x80\n\xC2\xA0\nc"), "(filtered)");
}

TEST(OcrCtc, FiltersLinesUnderTheScore) {
  const Tensor tensor = steps({1, 2}, 4);

  EXPECT_EQ(read(tensor, "a\nb\nc", {{"min_score", 0.81}}), "(filtered)");
  EXPECT_EQ(read(tensor, "a\nb\nc", {{"min_score", 0.79}}), "ab");
}

TEST(OcrCtc, FindsTheLikeliestOfManyClasses) {
  std::string characters;
  for (int i = 0; i < 3000; ++i) characters += std::to_string(i) + "\n";
  for (const std::int64_t at : {1, 15, 16, 17, 1023, 1024, 1025, 2047, 2048, 3000}) {
    EXPECT_EQ(read(steps({at}, 3001), characters), std::to_string(at - 1));
  }
}

TEST(OcrCtc, NeverTakesNanForTheLikeliest) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::string characters;
  for (int i = 0; i < 3000; ++i) characters += "x\n";
  Tensor first = steps({2}, 4);
  first.data<float>()[0] = nan;
  Tensor all = steps({1, 2}, 3001);
  std::fill_n(all.data<float>(), all.elements(), nan);

  EXPECT_EQ(read(first), "b");
  EXPECT_EQ(read(all, characters), "(filtered)");
}

TEST(OcrCtc, SaysWhereTheLineIs) {
  NodeHarness node("ocr.ctc");
  node.wire("steps", with_characters("a"));
  node.wire("quad", PortType::of<Quad>());
  ASSERT_THAT(node.open(), IsOk());
  const Quad quad{{{{1, 2}, {3, 2}, {3, 4}, {1, 4}}}, 0.7F};
  const auto run =
      node.process({{"steps", PayloadRef::make(steps({1}, 2))}, {"quad", PayloadRef::make(quad)}});

  EXPECT_EQ(run.out().at(0).get<TextLine>().quad.corners, quad.corners);
}

TEST(OcrCtc, ReadsTheCharactersFromAFile) {
  const TempFolder folder;
  const OptionList options{{"characters", folder.write("c.txt", "\xE4\xB8\xAD\r\nb\r\n")}};
  NodeHarness node("ocr.ctc", options);
  ASSERT_THAT(node.open(), IsOk());
  const auto run = node.process({{"steps", PayloadRef::make(steps({1, 2}, 3))}});

  EXPECT_EQ(run.out().at(0).get<TextLine>().text,
            "\xE4\xB8\xAD"
            "b");
}

TEST(OcrCtc, RefusesToRunWithoutCharacters) {
  const TempFolder folder;

  EXPECT_THAT(NodeHarness("ocr.ctc").open(), FailsWith("node.resolve", "SL0407"));
  EXPECT_THAT(NodeHarness("ocr.ctc", {{"characters", folder.path("none")}}).open(),
              FailsWith("node.resolve", "SL0704"));
  EXPECT_THAT(NodeHarness("ocr.ctc", {{"characters", folder.write("empty", "")}}).open(),
              FailsWith("node.resolve", "SL0704"));
  EXPECT_THAT(NodeHarness("ocr.ctc", {{"characters", folder.make_pipe("pipe")}}).open(),
              FailsWith("node.resolve", "nobody writes to it"));
}

TEST(OcrCtc, RefusesAModelOfOtherClasses) {
  NodeHarness node("ocr.ctc");
  node.wire("steps", with_characters("a\nb", std::vector<Dim>{{-1, "T"}, {97, ""}}));

  EXPECT_THAT(node.open(), FailsWith("node.resolve", "SL0403"));
}

TEST(OcrCtc, RejectsOtherShapes) {
  EXPECT_THAT(run_ctc(steps({1}, 6)).status, FailsWith("ocr.shape", "[1,6]"));
  EXPECT_THAT(run_ctc(*Tensor::allocate(DType::kF32, {1, 1, 4})).status, FailsWith("ocr.shape"));
  EXPECT_THAT(run_ctc(*Tensor::allocate(DType::kI32, {1, 4})).status, FailsWith("ocr.shape"));
}

}  // namespace
}  // namespace sluice
