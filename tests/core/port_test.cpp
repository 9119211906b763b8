#include "sluice/core/port.h"

#include "sluice/core/payloads.h"

#include "tests/support/status_matchers.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

using testing::FailsWith;
using testing::IsOk;

PortType tensor(DType dtype, std::vector<Dim> dims, std::string layout = {}) {
  PortType type = PortType::of<Tensor>();
  type.tensor = TensorType{dtype, std::move(dims), std::move(layout)};
  return type;
}

TEST(PortType, ReadsAsAPersonWouldWriteIt) {
  EXPECT_EQ(PortType::of<Image>().to_string(), "Image");
  EXPECT_EQ(tensor(DType::kF32, {{3, ""}, {48, ""}, {-1, "W"}}, "chw").to_string(),
            "Tensor f32 [3,48,W] chw");
  EXPECT_EQ(tensor(DType::kF32, {{-1, ""}}).to_string(), "Tensor f32 [?]");
  EXPECT_EQ(PortType::of<Tensor>().to_string(), "Tensor");
}

TEST(CheckFits, ComparesPayloadTypes) {
  const PortType quads{&list_of(payload_type<Quad>()), std::nullopt, nullptr};
  const PortType anys{&list_of(payload_type<Any>()), std::nullopt, nullptr};

  EXPECT_THAT(check_fits(PortType::of<Image>(), PortType::of<Image>()), IsOk());
  EXPECT_THAT(check_fits(PortType::of<Image>(), PortType::of<Any>()), IsOk());
  EXPECT_THAT(check_fits(quads, anys), IsOk());
  EXPECT_THAT(check_fits(PortType::of<Image>(), PortType::of<Tensor>()),
              FailsWith("types.payload", "Image given, Tensor wanted"));
  EXPECT_THAT(check_fits(PortType::of<Quad>(), anys),
              FailsWith("types.payload", "Quad given, [Any] wanted"));
}

TEST(CheckFits, NamesTheDimensionThatDiffers) {
  const PortType given = tensor(DType::kF32, {{3, ""}, {224, ""}, {-1, "W"}}, "chw");
  const PortType wanted = tensor(DType::kF32, {{3, ""}, {48, ""}, {320, ""}}, "chw");

  EXPECT_THAT(check_fits(given, wanted),
              FailsWith("types.dimension", "dimension 1 (h) is 224, 48 wanted"));
}

TEST(CheckFits, AcceptsWhatIsNotKnownBeforeTheRun) {
  const PortType given = tensor(DType::kF32, {{3, ""}, {-1, "H"}, {-1, "W"}});

  EXPECT_THAT(check_fits(given, tensor(DType::kF32, {{-1, ""}, {48, ""}, {320, ""}})), IsOk());
  EXPECT_THAT(check_fits(given, PortType::of<Tensor>()), IsOk());
}

TEST(CheckFits, ComparesElementTypesRanksAndLayouts) {
  const PortType given = tensor(DType::kU8, {{3, ""}, {4, ""}}, "hw");

  EXPECT_THAT(check_fits(given, tensor(DType::kF32, {{3, ""}, {4, ""}})),
              FailsWith("types.dtype", "u8, f32 wanted"));
  EXPECT_THAT(check_fits(given, tensor(DType::kU8, {{3, ""}})),
              FailsWith("types.rank", "[3,4] given"));
  EXPECT_THAT(check_fits(given, tensor(DType::kU8, {{3, ""}, {4, ""}}, "wh")),
              FailsWith("types.layout", "hw, wh wanted"));
}

}  // namespace
}  // namespace sluice
