#pragma once

#include "sluice/core/device.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace sluice {

// Finds accesses to one piece of memory that nothing orders, whether or not they happened to come
// in a good order this time. It keeps a vector clock for each stream and one for the host: how much
// of everybody's work is known to be done before. Work of a stream is after what the stream did,
// after what the host knew when it queued the work, and after events that the stream waits for. The
// host knows of a stream's work once an event told it.
//
// All threads of the host are one to it; what is between them is ThreadSanitizer's to find.
// Threads: one thread at a time.
class RaceChecker {
 public:
  static constexpr std::size_t kHost = 0;
  static constexpr std::size_t kMostFindings = 100;  // what is beyond is counted only
  using VectorClock = std::vector<std::uint64_t>;

  // Gives the number by which the stream is called from here on.
  std::size_t add_stream();

  // The stream is given one more piece of work, whose accesses follow.
  void queue_work(std::size_t stream);
  // What the stream is given from now on is after what `known` knows.
  void wait(std::size_t stream, const VectorClock& known);
  // Of work that is queued by now.
  const VectorClock& known_to(std::size_t stream) const { return clocks_[stream]; }
  // An event told the host that the work before it is done.
  void tell_host(const VectorClock& known);

  void add_memory(const std::byte* data, std::size_t size_bytes, std::string name);
  // Nobody may be about to use it.
  void remove_memory(const std::byte* data);
  // `actor` is a stream, or the host. `what` is the work, for messages.
  void access(std::size_t actor, const std::byte* data, std::size_t size_bytes, Access access,
              const std::string& what);
  void report(std::string finding);

  const std::vector<std::string>& findings() const { return findings_; }

 private:
  struct Past {
    std::size_t actor;
    std::uint64_t time;  // of that actor
    std::size_t begin, end;
    Access access;
    std::string what;
  };
  struct Memory {
    std::size_t size_bytes;
    std::string name;
    std::vector<Past> past;
  };

  bool is_known(std::size_t actor, const Past& past) const;
  std::uint64_t time_of(std::size_t actor) const;

  std::vector<VectorClock> clocks_{{0}};
  std::map<const std::byte*, Memory> memory_;  // by its first byte
  std::vector<std::string> findings_;
};

}  // namespace sluice
