#include "sluice/core/own_descriptor.h"

#include "tests/support/temp_folder.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <string>

namespace sluice {
namespace {

class OwnDescriptor : public ::testing::Test {
 protected:
  OwnDescriptor() {
    if (::pipe2(ends_.data(), O_CLOEXEC) != 0) ADD_FAILURE() << "no pipe";
  }
  ~OwnDescriptor() override {
    close_end(0);
    close_end(1);
  }

  void close_end(std::size_t end) {
    if (ends_[end] >= 0) ::close(ends_[end]);
    ends_[end] = -1;
  }
  std::string path_of(std::size_t end) const { return "/dev/fd/" + std::to_string(ends_[end]); }

 private:
  std::array<int, 2> ends_{-1, -1};
};

TEST_F(OwnDescriptor, IsClosedForTheAccessItIsNotOpenFor) {
  EXPECT_FALSE(leads_to_closed_descriptor(path_of(0), FileAccess::kRead));
  EXPECT_TRUE(leads_to_closed_descriptor(path_of(0), FileAccess::kWrite));
  EXPECT_FALSE(leads_to_closed_descriptor(path_of(1), FileAccess::kWrite));
  EXPECT_TRUE(leads_to_closed_descriptor(path_of(1), FileAccess::kRead));
}

TEST_F(OwnDescriptor, IsClosedOnceNothingIsOpenThere) {
  const std::string path = path_of(0);
  close_end(0);

  EXPECT_TRUE(leads_to_closed_descriptor(path, FileAccess::kRead));
}

TEST_F(OwnDescriptor, IsFoundThroughLinks) {
  const testing::TempFolder folder;
  const std::string link = folder.path("link");
  std::filesystem::create_symlink(path_of(0), link);

  EXPECT_FALSE(leads_to_closed_descriptor(link, FileAccess::kRead));
  EXPECT_TRUE(leads_to_closed_descriptor(link, FileAccess::kWrite));
}

TEST_F(OwnDescriptor, IsNoneOfOtherPaths) {
  const testing::TempFolder folder;
  const std::string loop = folder.path("loop");
  std::filesystem::create_symlink(loop, loop);

  for (const std::string& path : {std::string("/dev/null"), std::string("missing/1"),
                                  std::string("1"), std::string(), loop}) {
    EXPECT_FALSE(leads_to_closed_descriptor(path, FileAccess::kWrite)) << path;
  }
}

}  // namespace
}  // namespace sluice
