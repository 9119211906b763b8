#include "tests/cli/program.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <string>

namespace sluice {
namespace {

using testing::Finished;
using testing::Program;
using testing::Workplace;

std::string last_line(const std::string& text) {
  const std::size_t before = text.find_last_of('\n', text.size() - 2);
  return text.substr(before + 1);
}

constexpr const char* kRunMany =
    "exec sluice run lines.yaml -p input=many.txt --set nodes.json.path=/dev/stdout";

// More lines than go into a pipe that nobody reads.
void write_many(const Workplace& folder) {
  std::ofstream lines(folder.path() / "many.txt");
  for (int i = 0; i < 200'000; ++i) lines << "line " << i << "\n";
}

TEST(Interrupt, DrainsOnTheFirstSignalAndSaysSoInTheExitCode) {
  for (const auto& [signal, code] : {std::pair(SIGINT, 130), std::pair(SIGTERM, 143)}) {
    const Workplace folder;
    write_many(folder);
    Program program(kRunMany, folder.path());
    ASSERT_TRUE(program.wait_for_out("many.txt:1"));

    program.send(signal);
    ASSERT_TRUE(program.wait_for_err("Stopping"));
    const Finished finished = program.finish();

    EXPECT_EQ(finished.exit_code, code);
    const auto lines = std::to_string(std::count(finished.out.begin(), finished.out.end(), '\n'));
    EXPECT_EQ(last_line(finished.err), "Done. IN=" + lines + " OUT=" + lines +
                                           " REJECTED=0 DROPPED=0 EXIT=" + std::to_string(code) +
                                           "\n");
  }
}

// Lines of which not one goes into a pipe: a sink that has begun one is in the middle of it until
// somebody reads.
void write_long(const Workplace& folder) {
  std::ofstream lines(folder.path() / "many.txt");
  for (int i = 0; i < 8; ++i) lines << "line " << i << std::string(512 * 1024, '.') << "\n";
}

TEST(Interrupt, EndsTheProcessOnTheThirdSignalWhateverANodeWaitsFor) {
  const Workplace folder;
  write_long(folder);
  Program program(kRunMany, folder.path());
  ASSERT_TRUE(program.wait_for_out("line 0"));  // and then nobody reads any more

  program.send(SIGINT);
  ASSERT_TRUE(program.wait_for_err("Stopping"));
  program.send(SIGINT);
  ASSERT_TRUE(program.wait_for_err("Aborting"));
  program.send(SIGINT);
  ASSERT_TRUE(program.wait_for_err("Done."));
  const Finished finished = program.finish();

  EXPECT_EQ(finished.exit_code, 130);
  EXPECT_NE(finished.err.find("UNFINISHED"), std::string::npos) << finished.err;
}

TEST(Interrupt, EndsQuietlyWhenTheReaderOfStdoutHasGone) {
  const Workplace folder;
  write_many(folder);

  const Finished finished = testing::run(
      "sluice run lines.yaml -p input=many.txt --set nodes.json.path=/dev/stdout | head -n 1; exit "
      "${PIPESTATUS[0]}",
      folder.path());

  EXPECT_EQ(finished.out, "{\"text\":\"line 0\",\"key\":\"many.txt:1\"}\n");
  EXPECT_EQ(finished.exit_code, 1) << "not everything was delivered";
  EXPECT_EQ(finished.err.find('\n'), finished.err.size() - 1) << finished.err;
  EXPECT_EQ(finished.err.substr(0, 5), "Done.");
}

}  // namespace
}  // namespace sluice
