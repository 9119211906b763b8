#include "sluice/core/node_harness.h"

#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"
#include "tests/support/tensors.h"

#include <gtest/gtest.h>

#include <limits>

namespace sluice {
namespace {

using ::testing::ElementsAre;
using testing::FailsWith;
using testing::IsOk;
using testing::TempFolder;
using testing::tensor_of;
using testing::values_of;

using OptionList = NodeHarness::OptionList;

PortType f32(std::vector<Dim> dims) {
  PortType type = PortType::of<Tensor>();
  type.tensor = TensorType{DType::kF32, std::move(dims), ""};
  return type;
}

NodeHarness::Run topk(const Tensor& tensor, OptionList options) {
  NodeHarness node("topk", std::move(options));
  EXPECT_THAT(node.open(), IsOk());
  return node.process({{"in", PayloadRef::make(tensor)}});
}

OptionList first(std::int64_t k) { return {{"k", k}}; }

// What planning says to a tensor of these extents.
Status planned(std::vector<Dim> dims, OptionList options) {
  NodeHarness node("topk", std::move(options));
  node.wire("in", f32(std::move(dims)));
  return node.open();
}

TEST(Topk, ListsTheLargestFirstWithTheirLabels) {
  const TempFolder folder;
  const std::string labels = folder.write("labels.txt", "cat\r\ndog\n\xC3\xA9l\xC3\xA9phant\nfox");
  const auto run = topk(tensor_of<float>({4}, {0.1F, 0.25F, 0.6F, 0.05F}),
                        {{"k", std::int64_t{3}}, {"labels", labels}});

  EXPECT_EQ(run.out().at(0).to_value().to_json(),
            "[{\"class\":2,\"score\":0.6,\"label\":\"\xC3\xA9l\xC3\xA9phant\"},"
            "{\"class\":1,\"score\":0.25,\"label\":\"dog\"},"
            "{\"class\":0,\"score\":0.1,\"label\":\"cat\"}]");
}

TEST(Topk, GivesScoresAndPlacesAsTensors) {
  const auto run = topk(tensor_of<float>({1, 4}, {1, 4, 2, 3}), first(2));

  const Tensor& scores = run.out("scores").at(0).get<Tensor>();
  EXPECT_EQ(scores.shape(), (Shape{1, 2}));
  EXPECT_THAT(values_of<float>(scores), ElementsAre(4, 3));
  EXPECT_THAT(values_of<std::int64_t>(run.out("indices").at(0).get<Tensor>()), ElementsAre(1, 3));
  EXPECT_EQ(run.out().at(0).items().size(), 2u);
}

TEST(Topk, WorksAlongAnyAxis) {
  NodeHarness node("topk", {{"k", std::int64_t{2}}, {"axis", std::int64_t{0}}});
  node.ignore_output("out");
  ASSERT_THAT(node.open(), IsOk());
  const auto run =
      node.process({{"in", PayloadRef::make(tensor_of<float>({3, 2}, {1, 20, 3, 10, 2, 30}))}});

  ASSERT_THAT(run.status, IsOk());
  EXPECT_EQ(run.out("scores").at(0).get<Tensor>().shape(), (Shape{2, 2}));
  EXPECT_THAT(values_of<float>(run.out("scores").at(0).get<Tensor>()), ElementsAre(3, 30, 2, 20));
  EXPECT_THAT(values_of<std::int64_t>(run.out("indices").at(0).get<Tensor>()),
              ElementsAre(1, 2, 2, 0));
}

TEST(Topk, PutsTheLowerPlaceOfEqualsFirst) {
  const auto run = topk(tensor_of<float>({5}, {1, 3, 1, 3, 1}), first(4));

  EXPECT_THAT(values_of<std::int64_t>(run.out("indices").at(0).get<Tensor>()),
              ElementsAre(1, 3, 0, 2));
}

TEST(Topk, TakesAllAndInfinities) {
  const float infinity = std::numeric_limits<float>::infinity();
  const auto run = topk(tensor_of<float>({3}, {-infinity, 0, infinity}), first(3));

  EXPECT_THAT(values_of<std::int64_t>(run.out("indices").at(0).get<Tensor>()),
              ElementsAre(2, 1, 0));
}

TEST(Topk, RejectsWhatItCannotTake) {
  const float nan = std::numeric_limits<float>::quiet_NaN();

  EXPECT_THAT(topk(tensor_of<float>({3}, {1, nan, 2}), first(1)).status, FailsWith("tensor.nan"));
  EXPECT_THAT(topk(tensor_of<float>({3}, {1, 2, 3}), first(4)).status,
              FailsWith("tensor.shape", "k = 4"));
  EXPECT_THAT(topk(tensor_of<double>({3}, {1, 2, 3}), first(1)).status, FailsWith("tensor.shape"));
  EXPECT_THAT(topk(tensor_of<float>({2, 2}, {1, 2, 3, 4}), first(1)).status,
              FailsWith("tensor.shape", "one axis"));
}

TEST(Topk, RejectsAnItemWithOtherClassesThanLabels) {
  const TempFolder folder;
  const OptionList options{{"k", std::int64_t{1}}, {"labels", folder.write("l.txt", "a\nb\n")}};

  EXPECT_THAT(topk(tensor_of<float>({2}, {1, 2}), options).status, IsOk());
  EXPECT_THAT(topk(tensor_of<float>({3}, {1, 2, 3}), options).status,
              FailsWith("tensor.shape", "2 labels"));
}

TEST(Topk, SaysItsShapesBeforeTheRun) {
  NodeHarness node("topk", {{"k", std::int64_t{3}}, {"axis", std::int64_t{0}}});
  node.wire("in", f32({{10, ""}, {-1, "T"}}));
  ASSERT_THAT(node.open(), IsOk());

  EXPECT_EQ(node.ports().outputs[1].type.to_string(), "Tensor f32 [3,T]");
  EXPECT_EQ(node.ports().outputs[2].type.to_string(), "Tensor i64 [3,T]");
}

TEST(Topk, RefusesWhatCanNeverBe) {
  const TempFolder folder;
  const std::string two = folder.write("two.txt", "a\nb\n");

  EXPECT_THAT(planned({{4, ""}}, {{"k", std::int64_t{5}}}), FailsWith("node.resolve", "SL0209"));
  EXPECT_THAT(planned({{4, ""}}, {{"k", std::int64_t{1}}, {"axis", std::int64_t{-2}}}),
              FailsWith("node.resolve", "SL0209"));
  EXPECT_THAT(planned({{4, ""}}, {{"k", std::int64_t{1}}, {"labels", two}}),
              FailsWith("node.resolve", "two.txt has 2 lines"));
}

TEST(Topk, RefusesLabelsThatCannotBeRead) {
  const TempFolder folder;
  for (const std::string& path :
       {folder.path("none.txt"), folder.write("empty.txt", ""),
        folder.write("latin1.txt", "caf\xE9\n"), folder.path(), folder.make_pipe("pipe")}) {
    EXPECT_THAT(planned({{4, ""}}, {{"k", std::int64_t{1}}, {"labels", path}}),
                FailsWith("node.resolve", "SL0704"))
        << path;
  }
}

TEST(Topk, RefusesToListClassesOfMoreThanOneAxis) {
  EXPECT_THAT(planned({{2, ""}, {3, ""}}, first(1)), FailsWith("node.resolve", "SL0403"));
}

}  // namespace
}  // namespace sluice
