#include "sluice/graphs/make_plan.h"
#include "sluice/runtime/pipeline.h"

#include "tests/nodes/image/pictures.h"
#include "tests/support/file_size_limit.h"
#include "tests/support/temp_folder.h"

#include <gtest/gtest.h>

#include <map>

// image.write with many calls at once, as the engine runs it.

namespace sluice {
namespace {

using testing::image_of;
using testing::TempFolder;

Image noise(int side) {
  return image_of(side, side, 3,
                  [](int x, int y, int c) { return (x * 7919 + y * 104729) / 7 + c; });
}

// What became of pictures that were pushed all at once; a rejected one's reason, else "written" or
// "unfinished".
std::map<std::string, int> write_all(const std::string& path, const Image& picture,
                                     const std::vector<std::string>& keys) {
  const std::string yaml =
      "version: 1\n"
      "nodes:\n"
      "  images: { type: app_in, payload: Image, capacity: 200 }\n"
      "  write: { type: image.write, from: images, compression: 0, parallel: 8, path: \"" +
      path + "\" }\n";
  auto pipeline = Pipeline::load(plan_text(yaml, "test.yaml"));
  EXPECT_TRUE(pipeline) << pipeline.error();
  auto images = pipeline->input<Image>("images");
  EXPECT_TRUE(pipeline->start().is_ok());
  std::vector<Ticket> tickets;
  for (const std::string& key : keys) tickets.push_back(images.push(picture, key));
  images.close();
  pipeline->wait();
  std::map<std::string, int> outcomes;
  for (const Ticket& ticket : tickets) {
    const Outcome outcome = ticket.wait();
    ++outcomes[outcome == Outcome::kRejected    ? ticket.status().reason()
               : outcome == Outcome::kDelivered ? "written"
                                                : "unfinished"];
  }
  return outcomes;
}

TEST(ImageWriteInParallel, WritesEachPathOnce) {
  const TempFolder folder;
  std::vector<std::string> keys;
  for (int i = 0; i < 120; ++i) keys.push_back("p" + std::to_string(i % 40));

  const auto outcomes = write_all(folder.path("out/${item.key}.png"), noise(40), keys);

  EXPECT_EQ(outcomes.at("written"), 40);
  EXPECT_EQ(outcomes.at("sink.duplicate_path"), 80);
  EXPECT_EQ(folder.files().size(), 40u);
}

TEST(ImageWriteInParallel, LeavesNothingBehindWhenTheDiskIsFull) {
  const TempFolder folder;
  std::vector<std::string> keys;
  for (int i = 0; i < 40; ++i) keys.push_back(std::to_string(i));
  std::map<std::string, int> outcomes;
  {
    const testing::FileSizeLimit limit(100'000);
    outcomes = write_all(folder.path("${item.key}.png"), noise(300), keys);
  }

  EXPECT_EQ(outcomes, (std::map<std::string, int>{{"unfinished", 40}}));
  EXPECT_TRUE(folder.files().empty());
}

}  // namespace
}  // namespace sluice
