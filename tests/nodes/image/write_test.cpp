#include "sluice/core/node_harness.h"

#include "tests/nodes/image/pictures.h"
#include "tests/support/file_size_limit.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

namespace sluice {
namespace {

using ::testing::ElementsAre;
using testing::FailsWith;
using testing::flat_image;
using testing::image_of;
using ::testing::IsEmpty;
using testing::IsOk;
using testing::pixels_of;
using testing::TempFolder;

using OptionList = NodeHarness::OptionList;

// The node, open, writing to `path` below the folder.
class Writer {
 public:
  explicit Writer(const std::string& path, OptionList options = {})
      : node_("image.write", with_path(path, std::move(options))) {
    EXPECT_THAT(node_.open(), IsOk());
  }
  Status write(const Image& image, const std::string& key) {
    return node_.process({{"image", PayloadRef::make(image)}}, key).status;
  }
  NodeHarness& node() { return node_; }

 private:
  static OptionList with_path(const std::string& path, OptionList options) {
    options.emplace_back("path", path);
    return options;
  }
  NodeHarness node_;
};

Status resolved(const std::string& path, OptionList options = {}) {
  options.emplace_back("path", path);
  return NodeHarness("image.write", std::move(options)).open();
}

Image decoded(const std::string& file, OptionList options = {}) {
  NodeHarness node("image.decode", std::move(options));
  EXPECT_THAT(node.open(), IsOk());
  const std::vector<std::uint8_t> bytes(file.begin(), file.end());
  return node.process({{"bytes", testing::file_payload(bytes)}}).out().at(0).get<Image>();
}

Image uneven(int width, int height, int channels) {
  return image_of(width, height, channels,
                  [](int x, int y, int c) { return (3 * x + 5 * y + 40 * c) % 256; });
}

TEST(ImageWrite, GivesAPngBackExactly) {
  const TempFolder folder;
  for (const auto& [channels, name] : {std::pair{1, "grey"}, {3, "rgb"}, {4, "rgba"}}) {
    for (const std::int64_t compression : {0, 3, 9}) {
      Writer writer(folder.path("${item.key}.png"), {{"compression", compression}});
      const std::string key = name + std::to_string(compression);
      const Image image = uneven(70, 50, channels);
      ASSERT_THAT(writer.write(image, key), IsOk());

      EXPECT_EQ(pixels_of(decoded(folder.read(key + ".png"), {{"channels", name}})),
                pixels_of(image));
    }
  }
}

TEST(ImageWrite, WritesJpegOfTheQualityAskedFor) {
  const TempFolder folder;
  const Image image = uneven(64, 48, 3);
  Writer good(folder.path("good.jpg"), {{"quality", std::int64_t{95}}});
  Writer poor(folder.path("poor.JPEG"), {{"quality", std::int64_t{5}}});
  ASSERT_THAT(good.write(image, "a"), IsOk());
  ASSERT_THAT(poor.write(image, "a"), IsOk());

  EXPECT_EQ(folder.read("good.jpg").substr(0, 3), "\xFF\xD8\xFF");
  EXPECT_LT(folder.read("poor.JPEG").size(), folder.read("good.jpg").size());
  EXPECT_EQ(decoded(folder.read("good.jpg")).width(), 64);
}

TEST(ImageWrite, WritesJpegOfGreyAndOfAlpha) {
  const TempFolder folder;
  Writer writer(folder.path("${item.key}.jpg"));
  ASSERT_THAT(writer.write(flat_image(9, 9, 1, 50), "grey"), IsOk());
  ASSERT_THAT(writer.write(flat_image(9, 9, 4, 50), "rgba"), IsOk());

  EXPECT_NEAR(testing::pixel(decoded(folder.read("grey.jpg")), 4, 4, 0), 50, 2);
  EXPECT_NEAR(testing::pixel(decoded(folder.read("rgba.jpg")), 4, 4, 1), 50, 2);
}

TEST(ImageWrite, WritesPicturesThatFillManyBlocks) {
  const TempFolder folder;
  const Image noise = image_of(
      400, 300, 3, [](int x, int y, int c) { return (x * 7919 + y * 104729 + c * 31) / 7; });
  Writer png(folder.path("large.png"), {{"compression", std::int64_t{0}}});
  Writer jpeg(folder.path("large.jpg"), {{"quality", std::int64_t{100}}});
  ASSERT_THAT(png.write(noise, "a"), IsOk());
  ASSERT_THAT(jpeg.write(noise, "a"), IsOk());

  EXPECT_EQ(pixels_of(decoded(folder.read("large.png"))), pixels_of(noise));
  EXPECT_GT(folder.read("large.jpg").size(), 100'000u);
  EXPECT_EQ(decoded(folder.read("large.jpg")).height(), 300);
}

TEST(ImageWrite, MakesFoldersAndNothingElse) {
  const TempFolder folder;
  Writer writer(folder.path("a/b/${item.key}.png"));
  ASSERT_THAT(writer.write(uneven(4, 4, 3), "c/d"), IsOk());
  ASSERT_THAT(writer.write(uneven(4, 4, 3), "/e"), IsOk());
  EXPECT_THAT(writer.node().close(), IsOk());

  EXPECT_THAT(folder.files(), ElementsAre("a/b/c/d.png", "a/b/e.png"));
}

TEST(ImageWrite, GivesFilesTheUsualPermissions) {
  const TempFolder folder;
  const mode_t mask = ::umask(027);
  Writer writer(folder.path("x.png"));
  EXPECT_THAT(writer.write(uneven(4, 4, 3), "a"), IsOk());
  ::umask(mask);

  struct stat status {};
  ASSERT_EQ(::stat(folder.path("x.png").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777u, 0640u);
}

TEST(ImageWrite, RejectsAnItemWhoseFileIsThere) {
  const TempFolder folder;
  folder.write("old.png", "not to be lost");
  Writer writer(folder.path("${item.key}.png"));

  EXPECT_THAT(writer.write(uneven(4, 4, 3), "old"), FailsWith("sink.exists", "old.png"));
  EXPECT_THAT(writer.write(uneven(4, 4, 3), "new"), IsOk());
  EXPECT_EQ(folder.read("old.png"), "not to be lost");
  EXPECT_THAT(writer.node().failed_run(), IsOk());
}

TEST(ImageWrite, DoesNotFollowALinkToNowhere) {
  const TempFolder folder;
  std::filesystem::create_symlink(folder.path("elsewhere.png"), folder.path("link.png"));
  Writer writer(folder.path("${item.key}.png"));

  EXPECT_THAT(writer.write(uneven(4, 4, 3), "link"), FailsWith("sink.exists"));
  EXPECT_FALSE(std::filesystem::exists(folder.path("elsewhere.png")));
}

TEST(ImageWrite, ReplacesFilesWhenAsked) {
  const TempFolder folder;
  folder.write("old.png", "to be replaced");
  Writer writer(folder.path("${item.key}.png"), {{"overwrite", true}});

  ASSERT_THAT(writer.write(uneven(4, 4, 3), "old"), IsOk());
  EXPECT_EQ(decoded(folder.read("old.png")).width(), 4);
  EXPECT_THAT(folder.files(), ElementsAre("old.png"));
}

TEST(ImageWrite, RejectsTheSecondItemOfOnePath) {
  const TempFolder folder;
  Writer writer(folder.path("${item.stem}.png"), {{"overwrite", true}});

  EXPECT_THAT(writer.write(uneven(4, 4, 3), "a/page.jpg"), IsOk());
  EXPECT_THAT(writer.write(uneven(5, 5, 3), "b/page.jpg"), FailsWith("sink.duplicate_path"));
  EXPECT_EQ(decoded(folder.read("page.png")).width(), 4);
}

TEST(ImageWrite, KnowsOnePathInSeveralSpellings) {
  const TempFolder folder;
  Writer writer(folder.path("${item.key}.png"));

  EXPECT_THAT(writer.write(uneven(4, 4, 3), "a/b"), IsOk());
  EXPECT_THAT(writer.write(uneven(4, 4, 3), "a//./b"), FailsWith("sink.duplicate_path"));
}

TEST(ImageWrite, RejectsPathsThatLeaveTheFolder) {
  const TempFolder folder;
  Writer writer(folder.path("out/${item.key}.png"));

  for (const char* key : {"../x", "a/../../x", "a/../x"}) {
    EXPECT_THAT(writer.write(uneven(4, 4, 3), key), FailsWith("sink.path", "..")) << key;
  }
  EXPECT_THAT(writer.write(uneven(4, 4, 3), std::string("a\0b", 3)), FailsWith("sink.path", "NUL"));
  EXPECT_THAT(folder.files(), IsEmpty());
}

TEST(ImageWrite, KeepsToTheWorkingFolderWithoutOneInThePath) {
  Writer writer("${item.key}.png");

  EXPECT_THAT(writer.write(uneven(4, 4, 3), "/nowhere/x"), FailsWith("sink.path", "leaves"));
}

TEST(ImageWrite, LetsTheTemplateItselfGoUp) {
  const TempFolder folder;
  folder.write("in/pipeline.yaml", "");
  Writer writer(folder.path("in/../out/${item.key}.png"));

  EXPECT_THAT(writer.write(uneven(4, 4, 3), "x"), IsOk());
  EXPECT_THAT(folder.files(), ElementsAre("in/pipeline.yaml", "out/x.png"));
}

TEST(ImageWrite, RejectsOneItemForANameThatCannotBe) {
  const TempFolder folder;
  folder.write("file", "");
  std::filesystem::create_directory(folder.path("folder.png"));
  Writer writer(folder.path("${item.key}.png"), {{"overwrite", true}});

  EXPECT_THAT(writer.write(uneven(4, 4, 3), std::string(300, 'n')), FailsWith("sink.path"));
  EXPECT_THAT(writer.write(uneven(4, 4, 3), "file/below"), FailsWith("sink.path"));
  EXPECT_THAT(writer.write(uneven(4, 4, 3), "folder"), FailsWith("sink.path"));
  EXPECT_THAT(writer.node().failed_run(), IsOk());
  EXPECT_THAT(folder.files(), ElementsAre("file"));
}

TEST(ImageWrite, TakesANameAsLongAsNamesMayBe) {
  const TempFolder folder;
  Writer writer(folder.path("${item.key}.png"));

  EXPECT_THAT(writer.write(uneven(4, 4, 3), std::string(251, 'n')), IsOk());
}

TEST(ImageWrite, RejectsAPictureThatTheFormatCannotHold) {
  const TempFolder folder;
  Writer writer(folder.path("${item.key}.jpg"));

  EXPECT_THAT(writer.write(flat_image(70'000, 1, 1, 0), "wide"), FailsWith("image.encode", "JPEG"));
  EXPECT_THAT(folder.files(), IsEmpty());
}

TEST(ImageWrite, EndsTheRunOnAFullDiskAndLeavesNothingBehind) {
  for (const char* name : {"${item.key}.png", "${item.key}.jpg"}) {
    const TempFolder folder;
    Writer writer(folder.path(name), {{"compression", std::int64_t{0}}});
    ASSERT_THAT(writer.write(uneven(10, 10, 3), "small"), IsOk());
    Status status;
    {
      const testing::FileSizeLimit limit(20'000);
      status = writer.write(
          image_of(600, 400, 3, [](int x, int y, int c) { return x * y * c / 3; }), "large");
    }

    EXPECT_THAT(status, FailsWith("run.aborted"));
    EXPECT_EQ(status.code(), Code::kCancelled);
    EXPECT_THAT(writer.node().failed_run(), FailsWith("sink.disk_full", "--overwrite"));
    EXPECT_EQ(folder.files().size(), 1u);
  }
}

TEST(ImageWrite, TakesTheFormatFromThePathBeforeTheRun) {
  const TempFolder folder;
  EXPECT_THAT(resolved(folder.path("${item.stem}.gif")), FailsWith("node.resolve", ".gif"));
  EXPECT_THAT(resolved(folder.path("${item.stem}")), FailsWith("node.resolve", "SL0707"));
  EXPECT_THAT(resolved(folder.path("${item.stem}png")), FailsWith("node.resolve", "SL0707"));
  EXPECT_THAT(resolved(folder.path("a.png/${item.stem}")), FailsWith("node.resolve", "SL0707"));
  EXPECT_THAT(resolved(folder.path("page")), FailsWith("node.resolve", "SL0707"));
  EXPECT_THAT(resolved(folder.path("${item.stem}.Png")), IsOk());
}

TEST(ImageWrite, TakesTheFormatFromTheItemWhereThePathEndsInIt) {
  const TempFolder folder;
  Writer writer(folder.path("${item.stem}.${item.ext}"));

  EXPECT_THAT(writer.write(uneven(4, 4, 3), "a.jpg"), IsOk());
  EXPECT_THAT(writer.write(uneven(4, 4, 3), "a.webp"), FailsWith("sink.format", "a.webp"));
  EXPECT_EQ(folder.read("a.jpg").substr(0, 2), "\xFF\xD8");
}

TEST(ImageWrite, RefusesAtLoadToReplaceAFileOfAFixedName) {
  const TempFolder folder;
  folder.write("$one.png", "");

  EXPECT_THAT(resolved(folder.path("$$one.png")), FailsWith("node.resolve", "SL0702"));
  EXPECT_THAT(resolved(folder.path("$$one.png"), {{"overwrite", true}}), IsOk());
}

TEST(ImageWrite, DoesNotOpenWhereItCannotWrite) {
  const TempFolder folder;
  folder.write("file", "");

  EXPECT_THAT(resolved(folder.path("file/${item.stem}.png")), FailsWith("sink.open"));
}

}  // namespace
}  // namespace sluice
