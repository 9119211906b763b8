#include "sluice/core/node_harness.h"

#include "tests/nodes/image/pictures.h"
#include "tests/support/status_matchers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <random>
#include <thread>

namespace sluice {
namespace {

using ::testing::AnyOf;
using ::testing::ElementsAre;
using testing::FailsWith;
using testing::file_payload;
using testing::FileBytes;
using testing::flat_image;
using testing::image_of;
using testing::IsOk;
using testing::jpeg_file;
using testing::pixel;
using testing::pixels_of;
using testing::png_file;

NodeHarness::Run decode(const FileBytes& file, NodeHarness::OptionList options = {},
                        std::size_t memory = MemoryBudget::kUnlimited) {
  NodeHarness node("image.decode", std::move(options));
  node.limit_memory(memory);
  EXPECT_THAT(node.open(), IsOk());
  auto run = node.process({{"bytes", file_payload(file)}});
  EXPECT_LE(node.budget()->peak_bytes(), memory);
  return run;
}

// REQUIRES: the file can be decoded.
Image decoded(const FileBytes& file, NodeHarness::OptionList options = {}) {
  const auto run = decode(file, std::move(options));
  EXPECT_THAT(run.status, IsOk());
  return run.out().at(0).get<Image>();
}

FileBytes as_text(std::string_view text) { return {text.begin(), text.end()}; }

FileBytes begin_of(const FileBytes& file, std::size_t size) {
  return {file.begin(), file.begin() + static_cast<std::ptrdiff_t>(size)};
}

TEST(ImageDecode, GivesThePixelsOfAPngExactly) {
  const Image image = decoded(png_file({2, 2, 8, 2, {1, 2, 3, 4, 5, 6, 7, 8, 9, 250, 251, 252}}));

  EXPECT_EQ(image.channels(), 3);
  EXPECT_THAT(pixels_of(image), ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 9, 250, 251, 252));
}

TEST(ImageDecode, MakesGreyIntoColourAndColourIntoGrey) {
  EXPECT_THAT(pixels_of(decoded(png_file({2, 1, 8, 0, {10, 200}}))),
              ElementsAre(10, 10, 10, 200, 200, 200));
  // 0.299 R + 0.587 G + 0.114 B
  EXPECT_THAT(pixels_of(decoded(png_file({3, 1, 8, 2, {255, 0, 0, 0, 255, 0, 0, 0, 255}}),
                                {{"channels", "grey"}})),
              ElementsAre(::testing::Eq(76), AnyOf(149, 150), ::testing::Eq(29)));
}

TEST(ImageDecode, RoundsSixteenBitsToEight) {
  // v * 255 / 65535, to the nearest: 0x0080 is 0.498, 0x0081 is 0.502.
  const FileBytes file = png_file({4, 1, 16, 0, {0x00, 0x80, 0x00, 0x81, 0x80, 0x00, 0xFF, 0xFF}});

  EXPECT_THAT(pixels_of(decoded(file, {{"channels", "grey"}})), ElementsAre(0, 1, 128, 255));
}

TEST(ImageDecode, ReadsBitsAndPalettes) {
  EXPECT_THAT(pixels_of(decoded(png_file({8, 1, 1, 0, {0b10100001}}), {{"channels", "grey"}})),
              ElementsAre(255, 0, 255, 0, 0, 0, 0, 255));
  EXPECT_THAT(pixels_of(decoded(png_file({2, 1, 8, 3, {1, 0}, {1, 2, 3, 4, 5, 6}}))),
              ElementsAre(4, 5, 6, 1, 2, 3));
}

TEST(ImageDecode, ReadsInterlacedPng) {
  const Image original =
      image_of(13, 11, 3, [](int x, int y, int c) { return 19 * x + 7 * y + 80 * c; });

  EXPECT_EQ(pixels_of(decoded(testing::interlaced_png_file(original))), pixels_of(original));
}

TEST(ImageDecode, LaysWhatIsTransparentOnWhite) {
  const FileBytes file = png_file({3, 1, 8, 6, {10, 20, 30, 0, 10, 20, 30, 255, 0, 0, 0, 51}});

  EXPECT_THAT(pixels_of(decoded(file)), ElementsAre(255, 255, 255, 10, 20, 30, 204, 204, 204));
  EXPECT_THAT(pixels_of(decoded(file, {{"channels", "rgba"}})),
              ElementsAre(10, 20, 30, 0, 10, 20, 30, 255, 0, 0, 0, 51));
}

TEST(ImageDecode, LaysSixteenBitAndGreyAlphaOnWhite) {
  EXPECT_THAT(pixels_of(decoded(png_file({2, 1, 16, 4, {0, 0, 0, 0, 0x40, 0x40, 0xFF, 0xFF}}))),
              ElementsAre(255, 255, 255, 64, 64, 64));
  EXPECT_THAT(pixels_of(decoded(png_file({1, 1, 16, 6, {0, 0, 0, 0, 0, 0, 0, 0}}))),
              ElementsAre(255, 255, 255));
  EXPECT_THAT(pixels_of(decoded(png_file({2, 1, 8, 4, {7, 0, 9, 255}}), {{"channels", "grey"}})),
              ElementsAre(255, 9));
  EXPECT_THAT(pixels_of(decoded(png_file({2, 1, 8, 0, {7, 9}, {}, {0, 7}}))),
              ElementsAre(255, 255, 255, 9, 9, 9));
}

TEST(ImageDecode, GivesAnOpaqueChannelWhereTheFileHasNone) {
  EXPECT_THAT(pixels_of(decoded(png_file({1, 1, 8, 2, {1, 2, 3}}), {{"channels", "rgba"}})),
              ElementsAre(1, 2, 3, 255));
  const Image jpeg = decoded(jpeg_file(flat_image(8, 8, 3, 40)), {{"channels", "rgba"}});
  EXPECT_EQ(pixel(jpeg, 7, 7, 3), 255);
}

TEST(ImageDecode, ReadsBaselineAndProgressiveJpegClosely) {
  const Image original = image_of(32, 16, 3, [](int x, int y, int c) {
    return c == 0 ? 8 * x : c == 1 ? 16 * y : 255 - 8 * x;
  });
  for (const bool progressive : {false, true}) {
    const Image image = decoded(jpeg_file(original, {95, progressive}));

    ASSERT_EQ(image.width(), 32);
    for (int y = 0; y < 16; ++y) {
      for (int x = 0; x < 32; ++x) {
        for (int c = 0; c < 3; ++c) {
          EXPECT_NEAR(pixel(image, x, y, c), pixel(original, x, y, c), 8);
        }
      }
    }
  }
}

TEST(ImageDecode, ReadsGreyJpeg) {
  const FileBytes file = jpeg_file(flat_image(8, 8, 1, 77));

  EXPECT_EQ(decoded(file).channels(), 3);
  EXPECT_NEAR(pixel(decoded(file), 3, 3, 2), 77, 1);
  EXPECT_NEAR(pixel(decoded(file, {{"channels", "grey"}}), 3, 3, 0), 77, 1);
}

TEST(ImageDecode, ReadsTheFourInksOfCmykJpegs) {
  // Full cyan under a fifth of black leaves no red and four fifths of the rest.
  const Image inks = image_of(8, 8, 4, [](int, int, int c) {
    return c == 0 ? 255 : c == 3 ? 51 : 0;
  });
  for (const bool adobe : {false, true}) {
    const Image image = decoded(testing::cmyk_jpeg_file(inks, adobe));

    EXPECT_NEAR(pixel(image, 4, 4, 0), 0, 2) << "adobe " << adobe;
    EXPECT_NEAR(pixel(image, 4, 4, 1), 204, 2) << "adobe " << adobe;
    EXPECT_NEAR(pixel(image, 4, 4, 2), 204, 2) << "adobe " << adobe;
  }
  EXPECT_NEAR(pixel(decoded(testing::cmyk_jpeg_file(inks, true), {{"channels", "grey"}}), 4, 4, 0),
              (587 + 114) * 204 / 1000, 3);
}

// A picture whose quarters are 0, 80, 160 and 240 in reading order, stored as a camera that was
// held so stores it.
Image stored_for(int orientation) {
  const auto upright = [](int x, int y, int width, int height) {
    return (x >= width / 2 ? 80 : 0) + (y >= height / 2 ? 160 : 0);
  };
  const bool transposed = orientation >= 5;
  const int width = transposed ? 16 : 32;
  const int height = transposed ? 32 : 16;
  return image_of(width, height, 1, [&](int x, int y, int) {
    // Where the stored pixel lies in the upright picture of 32 x 16, from the table of Exif 2.3:
    // row 0 and column 0 of the stored picture are its (top, left), (top, right), (bottom, right),
    // ...
    switch (orientation) {
      case 2:
        return upright(31 - x, y, 32, 16);
      case 3:
        return upright(31 - x, 15 - y, 32, 16);
      case 4:
        return upright(x, 15 - y, 32, 16);
      case 5:
        return upright(y, x, 32, 16);
      case 6:
        return upright(31 - y, x, 32, 16);
      case 7:
        return upright(31 - y, 15 - x, 32, 16);
      case 8:
        return upright(y, 15 - x, 32, 16);
      default:
        return upright(x, y, 32, 16);
    }
  });
}

TEST(ImageDecode, StandsPhotosUpright) {
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const FileBytes file =
        jpeg_file(stored_for(orientation), {100, orientation % 2 == 0, false, orientation});
    const Image image = decoded(file, {{"channels", "grey"}});

    ASSERT_EQ(image.width(), 32) << orientation;
    ASSERT_EQ(image.height(), 16) << orientation;
    EXPECT_NEAR(pixel(image, 2, 2, 0), 0, 2) << orientation;
    EXPECT_NEAR(pixel(image, 29, 2, 0), 80, 2) << orientation;
    EXPECT_NEAR(pixel(image, 2, 13, 0), 160, 2) << orientation;
    EXPECT_NEAR(pixel(image, 29, 13, 0), 240, 2) << orientation;
  }
}

TEST(ImageDecode, LeavesPhotosAsTheyAreWhenAsked) {
  const FileBytes file = jpeg_file(stored_for(6), {100, false, false, 6});

  EXPECT_EQ(decoded(file, {{"orientation", "ignore"}}).width(), 16);
}

TEST(ImageDecode, TakesAnOddOrientationForUpright) {
  for (const int orientation : {9, 200}) {
    EXPECT_EQ(decoded(jpeg_file(stored_for(1), {100, false, false, orientation})).width(), 32);
  }
}

TEST(ImageDecode, RejectsWhatIsNoPicture) {
  EXPECT_THAT(decode({}).status, FailsWith("image.empty"));
  EXPECT_THAT(decode(as_text("# a page of text")).status, FailsWith("image.unsupported", "text"));
  EXPECT_THAT(decode(as_text("GIF89a...")).status, FailsWith("image.unsupported", "a GIF picture"));
  EXPECT_THAT(decode({0, 1, 2, 3, 0xFF}).status, FailsWith("image.unsupported", "no picture"));
}

TEST(ImageDecode, RejectsAJpegThatBreaksOffAnywhere) {
  const Image picture = image_of(64, 64, 3, [](int x, int y, int c) { return x * y + 9 * c; });
  for (const bool progressive : {false, true}) {
    const FileBytes file = jpeg_file(picture, {90, progressive});
    for (std::size_t size = 3; size < file.size() - 2; size += 1 + file.size() / 97) {
      const auto run = decode(begin_of(file, size));

      EXPECT_THAT(run.status, FailsWith("image.truncated")) << size << " of " << file.size();
      EXPECT_TRUE(run.out().empty());
    }
  }
}

TEST(ImageDecode, RejectsAPngThatBreaksOffAnywhere) {
  FileBytes rows(std::size_t{64} * 64 * 3);
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<std::uint8_t>(i * i / 7);
  const FileBytes file = png_file({64, 64, 8, 2, rows});
  for (std::size_t size = 8; size < file.size(); size += 1 + file.size() / 97) {
    const auto run = decode(begin_of(file, size));

    EXPECT_THAT(run.status, FailsWith("image.truncated")) << size << " of " << file.size();
    EXPECT_TRUE(run.out().empty());
  }
}

TEST(ImageDecode, KeepsWhatThereIsOfADamagedPictureWhenAsked) {
  FileBytes rows(std::size_t{64} * 64 * 3);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i] = static_cast<std::uint8_t>(1 + std::rand() % 100);
  }
  const FileBytes png = png_file({64, 64, 8, 2, rows});
  const FileBytes jpeg = jpeg_file(flat_image(64, 64, 3, 200));

  const Image half_png = decoded(begin_of(png, png.size() / 2), {{"damaged", "keep"}});
  const Image half_jpeg = decoded(begin_of(jpeg, jpeg.size() - 20), {{"damaged", "keep"}});

  EXPECT_EQ(pixel(half_png, 0, 0, 0), rows[0]);
  EXPECT_EQ(pixel(half_png, 63, 63, 2), 128);
  EXPECT_NEAR(pixel(half_jpeg, 0, 0, 0), 200, 2);
  EXPECT_THAT(decode(begin_of(png, 20), {{"damaged", "keep"}}).status,
              FailsWith("image.truncated"));
}

TEST(ImageDecode, GivesTheSameWhateverCameBefore) {
  const auto noise = [](int x, int y, int c) { return (x * 31 + y * 17 + x * y) % 256 / 2 + c; };
  const FileBytes plain = jpeg_file(image_of(90, 70, 3, noise), {70});
  const std::vector<FileBytes> files{plain,
                                     jpeg_file(image_of(33, 121, 3, noise), {95, true, true}),
                                     jpeg_file(image_of(200, 10, 1, noise)),
                                     jpeg_file(image_of(64, 48, 3, noise), {40, false, true, 6}),
                                     begin_of(plain, plain.size() / 2),
                                     as_text("\xFF\xD8\xFF no more")};
  std::vector<std::vector<int>> alone;
  const auto pixels_or_none = [](const NodeHarness::Run& run) {
    return run.status ? pixels_of(run.out().at(0).get<Image>()) : std::vector<int>();
  };
  // A thread of its own has decoded nothing before.
  for (const FileBytes& file : files)
    std::thread([&] { alone.push_back(pixels_or_none(decode(file))); }).join();

  std::mt19937 random(3);
  for (int round = 0; round < 100; ++round) {
    const std::size_t which = random() % files.size();
    ASSERT_EQ(pixels_or_none(decode(files[which])), alone[which]) << "file " << which;
  }
}

TEST(ImageDecode, DoesNotLendAFileTheTablesOfTheOneBefore) {
  const FileBytes whole = jpeg_file(flat_image(16, 16, 3, 90));
  FileBytes without = whole;
  const std::array<std::uint8_t, 2> marker{0xFF, 0xDB};  // quantisation tables
  for (auto at = std::search(without.begin(), without.end(), marker.begin(), marker.end());
       at != without.end();
       at = std::search(without.begin(), without.end(), marker.begin(), marker.end())) {
    without.erase(at, at + 2 + (at[2] << 8 | at[3]));
  }

  EXPECT_THAT(decode(whole).status, IsOk());
  EXPECT_THAT(decode(without).status, FailsWith("image.corrupt", "uantization table"));
}

TEST(ImageDecode, RejectsContradictions) {
  FileBytes png = png_file({8, 8, 8, 0, FileBytes(64, 100)});
  png[png.size() - 20] ^= 0xFF;  // in the compressed pixels
  FileBytes odd_depth = png_file({8, 8, 8, 0, FileBytes(64, 100)});
  odd_depth[24] = 7;
  FileBytes jpeg = jpeg_file(
      image_of(64, 64, 3, [](int x, int y, int c) { return (x * 31 + y * 17) % 256 + c; }));
  for (std::size_t i = jpeg.size() / 2; i < jpeg.size() / 2 + 64; ++i) jpeg[i] = 0xFF;

  EXPECT_THAT(decode(png).status, FailsWith("image.corrupt"));
  EXPECT_THAT(decode(odd_depth).status, FailsWith("image.corrupt"));
  EXPECT_THAT(decode(jpeg).status, FailsWith("image.corrupt"));
}

TEST(ImageDecode, HasAnAnswerToEveryDamage) {
  const Image picture = image_of(40, 30, 3, [](int x, int y, int c) { return x * y + 50 * c; });
  const std::vector<FileBytes> files{
      jpeg_file(picture), jpeg_file(picture, {80, true, true, 6}),
      testing::interlaced_png_file(picture),
      png_file(
          {4, 2, 8, 3, {0, 1, 2, 3, 3, 2, 1, 0}, {9, 9, 9, 8, 8, 8, 7, 7, 7, 6, 6, 6}, {0, 128}})};
  std::mt19937 random(7);
  for (int round = 0; round < 1200; ++round) {
    FileBytes file = files[static_cast<std::size_t>(round) % files.size()];
    for (unsigned flips = 1 + random() % 4; flips > 0; --flips) {
      file[random() % file.size()] = static_cast<std::uint8_t>(random());
    }
    const auto run = decode(file, {{"damaged", round % 3 == 0 ? "keep" : "reject"}}, 64 << 20);

    EXPECT_THAT(run.status.reason(), AnyOf("", "image.corrupt", "image.truncated",
                                           "image.unsupported", "image.too_large", "memory.limit"))
        << "round " << round;
  }
}

TEST(ImageDecode, RejectsMorePixelsThanAllowedBeforeTakingMemory) {
  EXPECT_THAT(decode(testing::hollow_png_file(60000, 60000), {}, 1 << 20).status,
              FailsWith("image.too_large", "60000 x 60000"));
  EXPECT_THAT(decode(testing::hollow_png_file(2'000'000, 3), {}, 1 << 20).status,
              FailsWith("image.too_large"));
  EXPECT_THAT(decode(jpeg_file(flat_image(20, 10, 1, 0)), {{"max_pixels", 199}}, 1 << 20).status,
              FailsWith("image.too_large", "20 x 10"));
  EXPECT_THAT(decode(jpeg_file(flat_image(20, 10, 1, 0)), {{"max_pixels", 200}}).status, IsOk());
}

TEST(ImageDecode, CountsThePicturesMemoryForItsItem) {
  const FileBytes file = jpeg_file(flat_image(64, 48, 3, 10));

  EXPECT_GE(decode(file).allocated_bytes, 64u * 48 * 3);
}

TEST(ImageDecode, RejectsASmallFileThatWouldFillTheMemory) {
  const FileBytes bomb = testing::blank_png_file(9'500, 9'400);  // 268 MB of pixels
  ASSERT_LT(bomb.size(), 300'000u);

  EXPECT_THAT(decode(bomb, {{"max_pixels", std::int64_t{100'000'000}}}, 32 << 20).status,
              FailsWith("memory.limit"));
}

TEST(ImageDecode, ChargesWhatAProgressiveJpegNeedsToDecode) {
  const FileBytes file = jpeg_file(flat_image(512, 512, 3, 9), {80, true});
  const std::size_t pixels = std::size_t{512} * 512 * 3;

  EXPECT_THAT(decode(file, {}, 2 * pixels - 1).status, FailsWith("memory.limit", "progressive"));
  EXPECT_THAT(decode(file, {}, 4 * pixels).status, IsOk());
}

}  // namespace
}  // namespace sluice
