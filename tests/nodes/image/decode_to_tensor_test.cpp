#include "sluice/core/node_harness.h"

#include "tests/nodes/image/pictures.h"
#include "tests/support/status_matchers.h"
#include "tests/support/tensors.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace sluice {
namespace {

using testing::FailsWith;
using testing::file_payload;
using testing::FileBytes;
using testing::flat_image;
using testing::image_of;
using testing::IsOk;
using testing::jpeg_file;
using testing::JpegOptions;
using testing::values_of;

using OptionList = NodeHarness::OptionList;

Image noisy(int width, int height, int channels = 3) {
  std::mt19937 random(static_cast<unsigned>(width * 1000 + height * 10 + channels));
  return image_of(width, height, channels, [&](int x, int y, int c) {
    return (3 * x + 5 * y + 40 * c + static_cast<int>(random() % 90)) % 256;
  });
}

// What a node, or two of them, made of a file.
struct Made {
  Status status;
  Shape shape = {};
  std::vector<float> values = {};
  ImageMap map = {};
};

Made made_of(const NodeHarness::Run& run) {
  if (!run.status) return {run.status};
  const Tensor& tensor = run.out().at(0).get<Tensor>();
  return {run.status, tensor.shape(), values_of<float>(tensor),
          run.out("map").at(0).get<ImageMap>()};
}

Made in_one(const FileBytes& file, const OptionList& reading, const OptionList& recipe) {
  OptionList options = reading;
  options.insert(options.end(), recipe.begin(), recipe.end());
  NodeHarness node("image.decode_to_tensor", std::move(options));
  EXPECT_THAT(node.open(), IsOk());
  return made_of(node.process({{"bytes", file_payload(file)}}));
}

Made in_two(const FileBytes& file, const OptionList& reading, const OptionList& recipe) {
  NodeHarness decode("image.decode", reading);
  NodeHarness to_tensor("image.to_tensor", recipe);
  EXPECT_THAT(decode.open(), IsOk());
  EXPECT_THAT(to_tensor.open(), IsOk());
  const auto decoded = decode.process({{"bytes", file_payload(file)}});
  if (!decoded.status) return {decoded.status};
  return made_of(to_tensor.process({{"image", decoded.out().at(0)}}));
}

void expect_the_same(const FileBytes& file, const OptionList& reading, const OptionList& recipe) {
  const Made one = in_one(file, reading, recipe);
  const Made two = in_two(file, reading, recipe);
  EXPECT_EQ(one.status.reason(), two.status.reason());
  EXPECT_EQ(one.status.message(), two.status.message());
  EXPECT_EQ(one.shape, two.shape);
  EXPECT_EQ(one.values, two.values);
  EXPECT_EQ(one.map.scale_x, two.map.scale_x);
  EXPECT_EQ(one.map.scale_y, two.map.scale_y);
  EXPECT_EQ(one.map.offset_x, two.map.offset_x);
  EXPECT_EQ(one.map.offset_y, two.map.offset_y);
  EXPECT_EQ(one.map.image_width, two.map.image_width);
  EXPECT_EQ(one.map.image_height, two.map.image_height);
}

OptionList sized(int width, int height, const char* filter = "bilinear") {
  return {{"width", std::int64_t{width}}, {"height", std::int64_t{height}}, {"filter", filter}};
}

// Each way to store colours, and some that are not read row by row.
std::vector<JpegOptions> ways_to_store() {
  JpegOptions half_width;
  half_width.half_width = true;
  JpegOptions half_height;
  half_height.half_height = true;
  JpegOptions restarts;
  restarts.subsampled = true;
  restarts.restart_rows = 1;
  return {{},       {90, false, true}, half_width, half_height,
          restarts, {70, true, true},  {90, true}, {90, false, true, 6}};
}

TEST(ImageDecodeToTensor, GivesWhatTheTwoNodesGiveForEverySize) {
  std::mt19937 random(5);
  const auto side = [&](unsigned most) { return static_cast<int>(1 + random() % most); };
  const auto ways = ways_to_store();
  for (int round = 0; round < 320; ++round) {
    const int width = side(round % 2 == 0 ? 9 : 120);
    const int height = side(round % 2 == 0 ? 40 : 90);
    const std::size_t way = static_cast<std::size_t>(round) % ways.size();
    const char* const filter = round % 5 == 0 ? "antialias" : "bilinear";
    const OptionList recipe = sized(side(80), side(80), filter);
    SCOPED_TRACE("round " + std::to_string(round) + ", " + std::to_string(width) + " x " +
                 std::to_string(height) + ", stored by way " + std::to_string(way));

    expect_the_same(jpeg_file(noisy(width, height), ways[way]), {}, recipe);
  }
}

TEST(ImageDecodeToTensor, GivesThePicturesOwnPixels) {
  // Not scaled, every row and column of every way to store colours is there to be compared.
  for (const JpegOptions& way : ways_to_store()) {
    for (const int width : {1, 2, 3, 4, 5, 6, 16, 17, 32, 33, 34, 35, 64, 100}) {
      expect_the_same(jpeg_file(noisy(width, 50), way), {}, {});
      expect_the_same(jpeg_file(noisy(width, 17), way), {}, {});
    }
  }
}

TEST(ImageDecodeToTensor, GivesWhatTheTwoNodesGiveForEveryRecipe) {
  JpegOptions options;
  options.subsampled = true;
  const FileBytes file = jpeg_file(noisy(97, 61), options);
  const OptionList crop{{"fit", "crop"}, {"short_side", std::int64_t{40}}};
  const std::vector<OptionList> more{{{"layout", "hwc"}},
                                     {{"channels", "bgr"}},
                                     {{"channels", "grey"}},
                                     {{"fit", "pad"}},
                                     {{"fit", "crop"}},
                                     crop,
                                     {{"filter", "area"}},
                                     {{"filter", "cubic"}},
                                     {{"filter", "nearest"}},
                                     {{"filter", "antialias"}},
                                     {{"std", NumberList{0.2, 0.3, 0.4}}}};
  for (const OptionList& options_of_one : more) {
    OptionList recipe{{"width", std::int64_t{40}}, {"height", std::int64_t{33}}};
    recipe.insert(recipe.end(), options_of_one.begin(), options_of_one.end());
    SCOPED_TRACE(options_of_one[0].first);
    expect_the_same(file, {}, recipe);
  }
}

TEST(ImageDecodeToTensor, TakesWhatHasToGoOverAPicture) {
  const Image picture = noisy(40, 30);
  JpegOptions turned;
  turned.orientation = 6;
  const FileBytes files[] = {jpeg_file(noisy(40, 30, 1)),
                             testing::cmyk_jpeg_file(noisy(40, 30, 4), true),
                             testing::interlaced_png_file(picture), jpeg_file(picture, turned)};
  for (const FileBytes& file : files) {
    for (const char* orientation : {"apply", "ignore"})
      expect_the_same(file, {{"orientation", orientation}}, sized(20, 25));
    for (const char* order : {"rgb", "grey"}) {
      OptionList recipe = sized(20, 25);
      recipe.emplace_back("channels", order);
      expect_the_same(file, {}, recipe);
    }
  }
}

TEST(ImageDecodeToTensor, AnswersToDamageAsTheTwoNodesDo) {
  const Image picture = noisy(70, 60);
  std::vector<FileBytes> files;
  for (const JpegOptions& way : ways_to_store()) files.push_back(jpeg_file(picture, way));
  std::mt19937 random(9);
  for (int round = 0; round < 600; ++round) {
    FileBytes file = files[static_cast<std::size_t>(round) % files.size()];
    for (unsigned flips = random() % 4; flips > 0; --flips)
      file[random() % file.size()] = static_cast<std::uint8_t>(random());
    if (round % 4 == 0) file.resize(file.size() - random() % (file.size() / 2));
    SCOPED_TRACE("round " + std::to_string(round));

    expect_the_same(file, {{"damaged", round % 3 == 0 ? "keep" : "reject"}}, sized(31, 17));
  }
}

TEST(ImageDecodeToTensor, FindsDamageBelowWhatTheTensorShows) {
  FileBytes file = jpeg_file(noisy(64, 512));
  file.resize(file.size() - 40);
  OptionList recipe = sized(64, 64);
  recipe.emplace_back("fit", "crop");

  EXPECT_THAT(in_one(file, {}, recipe).status, FailsWith("image.truncated", "64 x 512"));
}

TEST(ImageDecodeToTensor, RejectsWhatTheTwoNodesReject) {
  const FileBytes large = jpeg_file(flat_image(20, 10, 3, 0));
  const FileBytes text{'h', 'e', 'l', 'l', 'o'};
  const FileBytes wide = jpeg_file(flat_image(1000, 2, 3, 0));

  EXPECT_THAT(in_one(large, {{"max_pixels", 199}}, sized(4, 4)).status,
              FailsWith("image.too_large", "20 x 10"));
  EXPECT_THAT(in_one({}, {}, sized(4, 4)).status, FailsWith("image.empty"));
  EXPECT_THAT(in_one(text, {}, sized(4, 4)).status, FailsWith("image.unsupported"));
  EXPECT_THAT(in_one(wide, {}, {{"height", std::int64_t{1000}}}).status,
              FailsWith("image.tensor_size", "1000 x 2"));
}

TEST(ImageDecodeToTensor, TakesNoMemoryForThePicturesOfMostCameras) {
  JpegOptions subsampled;
  subsampled.subsampled = true;
  JpegOptions half_width;
  half_width.half_width = true;
  const FileBytes files[] = {jpeg_file(noisy(600, 400), subsampled),
                             jpeg_file(noisy(600, 400), half_width), jpeg_file(noisy(600, 400)),
                             jpeg_file(noisy(600, 400, 1))};
  const std::size_t tensor_bytes = std::size_t{3} * 64 * 64 * sizeof(float);
  for (const FileBytes& file : files) {
    NodeHarness node("image.decode_to_tensor", sized(64, 64));
    node.limit_memory(tensor_bytes + 4096);
    ASSERT_THAT(node.open(), IsOk());

    EXPECT_THAT(node.process({{"bytes", file_payload(file)}}).status, IsOk());
  }
}

TEST(ImageDecodeToTensor, StaysWithinTheMemoryLimit) {
  NodeHarness node("image.decode_to_tensor", sized(640, 640));
  node.limit_memory(1 << 20);
  ASSERT_THAT(node.open(), IsOk());

  const auto run = node.process({{"bytes", file_payload(jpeg_file(flat_image(8, 8, 3, 0)))}});

  EXPECT_THAT(run.status, FailsWith("memory.limit"));
  EXPECT_LE(node.budget()->peak_bytes(), std::size_t{1} << 20);
}

TEST(ImageDecodeToTensor, SaysItsShapeAndRefusesContradictionsBeforeTheRun) {
  NodeHarness fixed("image.decode_to_tensor", sized(320, 224));
  NodeHarness wrong("image.decode_to_tensor", {{"max_width", std::int64_t{32}}});

  ASSERT_THAT(fixed.open(), IsOk());
  EXPECT_EQ(fixed.ports().outputs[0].type.to_string(), "Tensor f32 [3,224,320] chw");
  EXPECT_THAT(wrong.open(), FailsWith("node.resolve", "SL0221"));
}

}  // namespace
}  // namespace sluice
