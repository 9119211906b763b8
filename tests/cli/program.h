#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>

namespace sluice::testing {

// An empty folder that goes away with it, holding copies of tests/cases/cli/files.
class Workplace {
 public:
  Workplace();
  ~Workplace();
  Workplace(const Workplace&) = delete;
  Workplace& operator=(const Workplace&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// What a finished program has left.
struct Finished {
  int exit_code = -1;            // 128 + the signal for one that a signal ended
  std::uint64_t peak_bytes = 0;  // of memory, of the process that the command became
  std::string out;
  std::string err;
};

// A shell command at work in a folder, with `sluice` on its path, and with the folder of the fake
// drivers and plugins of tests/support/plugins in $FAKES.
class Program {
 public:
  Program(const std::string& command, const std::filesystem::path& folder);
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  // Reads stdout or stderr until `text` has come. False when it ends before. Blocks.
  bool wait_for_out(const std::string& text) { return wait_for(out_, finished_.out, text); }
  bool wait_for_err(const std::string& text) { return wait_for(err_, finished_.err, text); }
  void send(int signal) const;
  // Reads the rest of both and waits for the end. Blocks.
  Finished finish();

 private:
  static bool wait_for(int end, std::string& read, const std::string& text);

  pid_t process_ = -1;
  int out_ = -1;
  int err_ = -1;
  Finished finished_;
};

// Runs a command to its end.
Finished run(const std::string& command, const std::filesystem::path& folder);

}  // namespace sluice::testing
