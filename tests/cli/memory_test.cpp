// Files that want more memory than the run may take: each is one rejected item, the others come
// through, and the process stays near its limit.
#include "tests/cli/program.h"
#include "tests/nodes/image/pictures.h"
#include "tests/support/sanitizers.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace sluice {
namespace {

namespace fs = std::filesystem;
using testing::Finished;
using testing::Workplace;

constexpr std::uint64_t kLimit = 64 << 20;  // as given to the run
// The program and its libraries, and what its threads hold that belongs to no item; a sanitizer
// keeps a shadow of memory and what was freed.
#if SLUICE_TEST_ASAN || SLUICE_TEST_TSAN
constexpr std::uint64_t kSlack = 1024ull << 20;
#else
constexpr std::uint64_t kSlack = 48ull << 20;
#endif

void write_file(const fs::path& path, const testing::FileBytes& bytes) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
}

class Memory : public ::testing::Test {
 protected:
  Memory() : photos_(folder_.path() / "photos") {
    fs::create_directory(photos_);
    write_file(photos_ / "a.png", testing::blank_png_file(30, 20));
    write_file(photos_ / "z.png", testing::blank_png_file(40, 20));
  }

  // One file is rejected for `reason`, the two small pictures come through.
  void expect_one_rejected(const std::string& reason) {
    // Pixels are counted before memory is asked for; here the memory is what has to refuse.
    const Finished finished = testing::run(
        "exec sluice run photos.yaml --set run.memory=64MiB --set nodes.photo.max_pixels=100000000",
        folder_.path());

    EXPECT_EQ(finished.exit_code, 3);
    EXPECT_NE(finished.err.find("Done. IN=3 OUT=2 REJECTED=1 DROPPED=0 EXIT=3"), std::string::npos)
        << finished.err;
    EXPECT_NE(finished.err.find("1 " + reason + " "), std::string::npos) << finished.err;
    EXPECT_LE(finished.peak_bytes, kLimit + kSlack);
  }

  Workplace folder_;
  const fs::path photos_;
};

TEST_F(Memory, IsNotFilledByASmallPictureWithManyPixels) {
  const testing::FileBytes bomb = testing::blank_png_file(9'500, 9'400);  // 268 MB of pixels
  ASSERT_LT(bomb.size(), 300'000u);
  write_file(photos_ / "bomb.png", bomb);

  expect_one_rejected("memory.limit");
}

TEST_F(Memory, IsNotAskedForByAHeaderOfManyPixels) {
  write_file(photos_ / "hollow.png", testing::hollow_png_file(60'000, 60'000));

  expect_one_rejected("image.too_large");
}

TEST_F(Memory, IsNotTakenForAFileThatIsTooLarge) {
  std::ofstream(photos_ / "sparse.png").flush();
  fs::resize_file(photos_ / "sparse.png", 10ull << 30);

  expect_one_rejected("files.too_large");
}

}  // namespace
}  // namespace sluice
