#include "sluice/runtime/cli/interrupts.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <system_error>
#include <utility>

namespace sluice {
namespace {

constexpr std::array<int, 3> kSignals{SIGINT, SIGTERM, SIGPIPE};
constexpr unsigned char kStopListening = 0;

// A handler may do next to nothing, so it passes the signal's number through a pipe to a thread.
std::array<int, 2> signal_pipe{-1, -1};
std::array<struct sigaction, kSignals.size()> handlers_before;

void tell_listener(unsigned char what) {
  const int saved = errno;
  // A full pipe holds thousands of signals that nobody has read: one more says nothing new.
  [[maybe_unused]] const auto written = ::write(signal_pipe[1], &what, 1);
  errno = saved;
}

void on_signal(int number) { tell_listener(static_cast<unsigned char>(number)); }

}  // namespace

Interrupts::Interrupts(std::function<void(int)> heard) : heard_(std::move(heard)) {
  if (::pipe2(signal_pipe.data(), O_CLOEXEC) != 0) {
    throw std::system_error(errno, std::generic_category(), "pipe");
  }
  ::fcntl(signal_pipe[1], F_SETFL, O_NONBLOCK);
  listener_ = std::thread([this] { listen(); });
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    struct sigaction action {};
    action.sa_handler = kSignals[i] == SIGPIPE ? SIG_IGN : on_signal;
    action.sa_flags = SA_RESTART;
    ::sigaction(kSignals[i], &action, &handlers_before[i]);
  }
}

Interrupts::~Interrupts() {
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    ::sigaction(kSignals[i], &handlers_before[i], nullptr);
  }
  tell_listener(kStopListening);
  listener_.join();
  for (int& end : signal_pipe) ::close(std::exchange(end, -1));
}

void Interrupts::listen() {
  int count = 0;
  unsigned char number = 0;
  while (true) {
    const ssize_t got = ::read(signal_pipe[0], &number, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0 || number == kStopListening) return;
    int none = 0;
    first_.compare_exchange_strong(none, number, std::memory_order_release);
    heard_(++count);
  }
}

}  // namespace sluice
