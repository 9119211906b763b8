#include "sluice/core/read_file.h"

#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

namespace sluice {
namespace {

using testing::FailsWith;
using testing::TempFolder;

TEST(ReadFile, GivesAllBytes) {
  const TempFolder folder;
  const std::string bytes(200'000, '\xFF');

  EXPECT_EQ(*read_file(folder.write("some", bytes)), bytes);
  EXPECT_EQ(*read_file(folder.write("step", std::string(65'536, 'a'))), std::string(65'536, 'a'));
  EXPECT_EQ(*read_file(folder.write("none", "")), "");
}

TEST(ReadFile, WaitsForTheWriterOfAPipe) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  ASSERT_EQ(::write(ends[1], "text", 4), 4);
  ::close(ends[1]);

  EXPECT_EQ(*read_file("/dev/fd/" + std::to_string(ends[0])), "text");
  ::close(ends[0]);
}

TEST(ReadFile, SaysWhyAFileCannotBeRead) {
  const TempFolder folder;
  const std::string huge = folder.write("huge", "");
  std::filesystem::resize_file(huge, kMaxFileBytes + 1);

  EXPECT_THAT(read_file(folder.path("missing")), FailsWith("file.unreadable", "No such file"));
  EXPECT_THAT(read_file(folder.path()), FailsWith("file.unreadable", "Is a directory"));
  EXPECT_THAT(read_file(folder.make_pipe("pipe")),
              FailsWith("file.unreadable", "nobody writes to it"));
  EXPECT_THAT(read_file("/dev/zero"), FailsWith("file.unreadable", "larger than 64 MiB"));
  EXPECT_THAT(read_file(huge), FailsWith("file.unreadable", "larger than 64 MiB"));
}

TEST(ReadFile, TakesAFileOfTheLargestSize) {
  const TempFolder folder;
  const std::string largest = folder.write("largest", "");
  std::filesystem::resize_file(largest, kMaxFileBytes);

  EXPECT_EQ(read_file(largest)->size(), kMaxFileBytes);
}

}  // namespace
}  // namespace sluice
