#include "sluice/nodes/infer/native/kernels/movement.h"

#include "tests/nodes/infer/kernels/values.h"

#include <gtest/gtest.h>

#include <functional>
#include <numeric>

namespace sluice::kernels {
namespace {

using test::Extents;

template <class T>
std::vector<T> counting(std::int64_t count) {
  std::vector<T> values(static_cast<std::size_t>(count));
  std::iota(values.begin(), values.end(), T{1});
  return values;
}

// Builds an array of extents `out` from a function of the index.
template <class T>
std::vector<T> build(const Extents& out, const std::function<T(const Extents&)>& value) {
  std::vector<T> result;
  for (std::int64_t flat = 0; flat < element_count(out); ++flat) {
    Extents index(out.size());
    std::int64_t rest = flat;
    for (std::size_t axis = out.size(); axis-- > 0;) {
      index[axis] = rest % out[axis];
      rest /= out[axis];
    }
    result.push_back(value(index));
  }
  return result;
}

template <class T>
T at(const std::vector<T>& values, const Extents& dims, const Extents& index) {
  std::int64_t flat = 0;
  for (std::size_t axis = 0; axis < dims.size(); ++axis) flat = flat * dims[axis] + index[axis];
  return values[static_cast<std::size_t>(flat)];
}

template <class T>
class MovementOf : public ::testing::Test {};
using Elements = ::testing::Types<std::uint8_t, std::uint16_t, std::uint32_t, std::uint64_t>;
TYPED_TEST_SUITE(MovementOf, Elements);

TYPED_TEST(MovementOf, TransposesEveryPermutation) {
  using T = TypeParam;
  for (const Extents& dims : {Extents{}, Extents{5}, Extents{17, 33}, Extents{3, 20, 18},
                              Extents{2, 5, 4, 7}, Extents{2, 1, 3, 4, 3}}) {
    Extents permutation(dims.size());
    std::iota(permutation.begin(), permutation.end(), std::int64_t{0});
    const auto input = counting<T>(element_count(dims));
    do {
      Extents out;
      for (std::int64_t axis : permutation) out.push_back(dims[static_cast<std::size_t>(axis)]);
      const auto expected = build<T>(out, [&](const Extents& index) {
        Extents source(dims.size());
        for (std::size_t i = 0; i < dims.size(); ++i)
          source[static_cast<std::size_t>(permutation[i])] = index[i];
        return at(input, dims, source);
      });
      std::vector<T> output(input.size());

      transpose(sizeof(T), dims, permutation, input.data(), output.data());

      ASSERT_EQ(output, expected);
    } while (std::next_permutation(permutation.begin(), permutation.end()));
  }
}

TYPED_TEST(MovementOf, SlicesWithAnyStep) {
  using T = TypeParam;
  std::mt19937 engine(1);
  for (int i = 0; i < 100; ++i) {
    Extents dims, starts, steps, extents;
    for (std::int64_t axis = 0; axis < test::pick(engine, 0, 4); ++axis) {
      dims.push_back(test::pick(engine, 1, 9));
      starts.push_back(test::pick(engine, 0, dims.back() - 1));
      steps.push_back(test::pick(engine, 0, 1) > 0   ? 1
                      : test::pick(engine, 0, 1) > 0 ? -1
                                                     : test::pick(engine, 2, 3));
      const std::int64_t room = steps.back() > 0 ? dims.back() - 1 - starts.back() : starts.back();
      extents.push_back(test::pick(engine, 0, room / std::abs(steps.back()) + 1));
    }
    const auto input = counting<T>(element_count(dims));
    const auto expected = build<T>(extents, [&](const Extents& index) {
      Extents source;
      for (std::size_t axis = 0; axis < dims.size(); ++axis)
        source.push_back(starts[axis] + index[axis] * steps[axis]);
      return at(input, dims, source);
    });
    std::vector<T> output(expected.size());

    slice(sizeof(T), {dims, starts, steps, extents}, input.data(), output.data());

    ASSERT_EQ(output, expected);
  }
}

TYPED_TEST(MovementOf, ExpandsAndTiles) {
  using T = TypeParam;
  const Extents dims{3, 1, 2}, expanded{2, 3, 4, 2}, repeats{2, 3, 2}, tiled{6, 3, 4};
  const auto input = counting<T>(6);
  std::vector<T> wide(48), many(72);

  expand(sizeof(T), dims, expanded, input.data(), wide.data());
  tile(sizeof(T), dims, repeats, input.data(), many.data());

  EXPECT_EQ(wide, build<T>(expanded, [&](const Extents& i) {
              return at(input, dims, {i[1], 0, i[3]});
            }));
  EXPECT_EQ(many, build<T>(tiled, [&](const Extents& i) {
              return at(input, dims, {i[0] % 3, 0, i[2] % 2});
            }));
}

TYPED_TEST(MovementOf, ConcatenatesAndSplitsBack) {
  using T = TypeParam;
  const auto a = counting<T>(2 * 3 * 4), b = counting<T>(2 * 1 * 4), empty = std::vector<T>{};
  const std::vector<ConcatPart> parts{{a.data(), 3}, {empty.data(), 0}, {b.data(), 1}};
  std::vector<T> whole(32), a_back(24), b_back(8);
  const std::vector<SplitPart> pieces{{a_back.data(), 3}, {nullptr, 0}, {b_back.data(), 1}};

  concat(sizeof(T), 2, 4, parts, whole.data());
  split(sizeof(T), 2, 4, whole.data(), pieces);

  EXPECT_EQ(whole[12], b[0]);
  EXPECT_EQ(whole[16], a[12]);
  EXPECT_EQ(a_back, a);
  EXPECT_EQ(b_back, b);
}

TYPED_TEST(MovementOf, GathersAndRefusesIndicesOutOfRange) {
  using T = TypeParam;
  const auto input = counting<T>(2 * 3 * 2);
  const std::vector<std::int64_t> indices{-1, 0, 2}, bad{0, 3};
  std::vector<T> output(12);

  EXPECT_TRUE(gather<std::int64_t>(sizeof(T), 2, 3, 2, indices, input.data(), output.data()));
  EXPECT_EQ(output, (std::vector<T>{5, 6, 1, 2, 5, 6, 11, 12, 7, 8, 11, 12}));
  EXPECT_FALSE(gather<std::int64_t>(sizeof(T), 2, 3, 2, bad, input.data(), output.data()));
}

TYPED_TEST(MovementOf, PadsInEveryMode) {
  using T = TypeParam;
  const Extents dims{3}, before{2}, after{2};
  const std::vector<T> input{1, 2, 3};
  const T value = 9;
  const auto of = [&](PadMode mode) {
    std::vector<T> output(7);
    pad(sizeof(T), {dims, before, after, mode, &value}, input.data(), output.data());
    return output;
  };

  EXPECT_EQ(of(PadMode::kConstant), (std::vector<T>{9, 9, 1, 2, 3, 9, 9}));
  EXPECT_EQ(of(PadMode::kReflect), (std::vector<T>{3, 2, 1, 2, 3, 2, 1}));
  EXPECT_EQ(of(PadMode::kEdge), (std::vector<T>{1, 1, 1, 2, 3, 3, 3}));
  EXPECT_EQ(of(PadMode::kWrap), (std::vector<T>{2, 3, 1, 2, 3, 1, 2}));
}

TEST(Movement, PadsAndCutsSeveralAxes) {
  const Extents dims{2, 3}, before{1, -1}, after{0, 2};
  const std::vector<float> input{1, 2, 3, 4, 5, 6};
  std::vector<float> output(12, -1.0f);

  pad(4, {dims, before, after, PadMode::kConstant, nullptr}, input.data(), output.data());

  EXPECT_EQ(output, (std::vector<float>{0, 0, 0, 0, 2, 3, 0, 0, 5, 6, 0, 0}));
}

TEST(Movement, MovesDepthToSpaceAndBack) {
  const Extents dims{2, 12, 3, 5}, wide{2, 3, 6, 10};
  const auto input = counting<std::uint32_t>(element_count(dims));
  std::vector<std::uint32_t> dcr(input.size()), crd(input.size()), back(input.size());

  depth_to_space(4, dims, 2, DepthToSpaceMode::kDcr, input.data(), dcr.data());
  depth_to_space(4, dims, 2, DepthToSpaceMode::kCrd, input.data(), crd.data());
  space_to_depth(4, wide, 2, dcr.data(), back.data());

  const auto block = [](const Extents& i) { return i[2] % 2 * 2 + i[3] % 2; };
  EXPECT_EQ(dcr, build<std::uint32_t>(wide, [&](const Extents& i) {
              return at(input, dims, {i[0], block(i) * 3 + i[1], i[2] / 2, i[3] / 2});
            }));
  EXPECT_EQ(crd, build<std::uint32_t>(wide, [&](const Extents& i) {
              return at(input, dims, {i[0], i[1] * 4 + block(i), i[2] / 2, i[3] / 2});
            }));
  EXPECT_EQ(back, input);
}

}  // namespace
}  // namespace sluice::kernels
