#include "tests/cli/program.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <utility>

namespace sluice::testing {
namespace {

namespace fs = std::filesystem;

std::array<int, 2> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) std::abort();
  return ends;
}

// Appends what is there to `text`; false at the end.
bool read_some(int end, std::string& text) {
  std::array<char, 4096> bytes;
  const ssize_t got = ::read(end, bytes.data(), bytes.size());
  if (got > 0) text.append(bytes.data(), static_cast<std::size_t>(got));
  return got > 0 || (got < 0 && errno == EINTR);
}

[[noreturn]] void become(const std::string& command, const fs::path& folder) {
  const std::string path =
      fs::path(SLUICE_PROGRAM).parent_path().string() + ":" + std::getenv("PATH");
  ::setenv("PATH", path.c_str(), 1);
  ::setenv("FAKES", SLUICE_FAKE_CUDA, 1);
  if (::chdir(folder.c_str()) != 0) std::_Exit(127);
  ::execl("/bin/bash", "bash", "-c", command.c_str(), nullptr);
  std::_Exit(127);
}

}  // namespace

Workplace::Workplace() {
  std::string name = (fs::temp_directory_path() / "sluice_cli_XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) std::abort();
  path_ = name;
  fs::copy(fs::path(SLUICE_SOURCE_DIR) / "tests/cases/cli/files", path_,
           fs::copy_options::recursive);
}

Workplace::~Workplace() {
  std::error_code error;
  fs::remove_all(path_, error);
}

Program::Program(const std::string& command, const fs::path& folder) {
  const std::array<int, 2> out = make_pipe();
  const std::array<int, 2> err = make_pipe();
  process_ = ::fork();
  if (process_ == 0) {
    ::dup2(out[1], STDOUT_FILENO);
    ::dup2(err[1], STDERR_FILENO);
    become(command, folder);
  }
  ::close(out[1]);
  ::close(err[1]);
  out_ = out[0];
  err_ = err[0];
}

Program::~Program() {
  if (process_ > 0) {
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
  }
  ::close(out_);
  ::close(err_);
}

bool Program::wait_for(int end, std::string& read, const std::string& text) {
  while (read.find(text) == std::string::npos) {
    if (!read_some(end, read)) return false;
  }
  return true;
}

void Program::send(int signal) const { ::kill(process_, signal); }

Finished Program::finish() {
  std::array<pollfd, 2> ends{{{out_, POLLIN, 0}, {err_, POLLIN, 0}}};
  while (ends[0].fd >= 0 || ends[1].fd >= 0) {
    ::poll(ends.data(), ends.size(), -1);
    for (pollfd& end : ends) {
      if (end.fd < 0 || end.revents == 0) continue;
      if (!read_some(end.fd, end.fd == out_ ? finished_.out : finished_.err)) end.fd = -1;
    }
  }
  int status = 0;
  rusage used{};
  ::wait4(std::exchange(process_, -1), &status, 0, &used);
  finished_.peak_bytes = static_cast<std::uint64_t>(used.ru_maxrss) * 1024;
  finished_.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return std::move(finished_);
}

Finished run(const std::string& command, const fs::path& folder) {
  return Program(command, folder).finish();
}

}  // namespace sluice::testing
