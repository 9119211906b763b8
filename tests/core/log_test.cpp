#include "sluice/core/log.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace sluice {
namespace {

class LogTest : public ::testing::Test {
 protected:
  LogTest()
      : before_(Log::set_sink(
            [this](LogLevel level, std::string_view source, std::string_view message) {
              lines_.push_back(std::to_string(static_cast<int>(level)) + " " + std::string(source) +
                               " " + std::string(message));
            })) {}
  ~LogTest() override { Log::set_sink(before_); }

  std::vector<std::string> lines_;

 private:
  Log::Sink before_;
};

TEST_F(LogTest, PassesLevelSourceAndMessageToTheSink) {
  const Log log("decode");

  log.debug("one");
  log.info("two");
  log.warning("three");
  log.error("four");

  EXPECT_EQ(lines_, (std::vector<std::string>{"0 decode one", "1 decode two", "2 decode three",
                                              "3 decode four"}));
}

TEST_F(LogTest, IsSilentWithoutASink) {
  const Log::Sink sink = Log::set_sink({});

  Log("decode").error("nobody hears");

  EXPECT_TRUE(lines_.empty());
  Log::set_sink(sink);
}

}  // namespace
}  // namespace sluice
