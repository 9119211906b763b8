#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace sluice::testing {

// What the `test.collect` sinks of one pipeline got, by the name of the sink. Threads: thread-safe.
struct Collected {
  struct Entry {
    std::string key;  // of the source item
    std::uint64_t number;
    std::string value;  // the path of a `test.count` item, "3/0/1"; of a list "[3/0/0 3/0/1]"
  };
  std::mutex mutex;
  std::map<std::string, std::vector<Entry>> sinks;

  // Empties it and gives what there was.
  std::map<std::string, std::vector<Entry>> take();
};

// Where all `test.collect` nodes of the process put what they get.
Collected& collected();

// What the nodes decide by, so that a model of a graph can decide the same: nothing but the item
// and the node, whatever the timing.
bool chosen(std::int64_t one_in, const std::string& salt, const std::string& path);
// How many children a `test.children` node makes.
std::size_t child_count(const std::string& path, const std::string& node, std::int64_t most);
// What a `test.mix` node makes of its inputs: the lead's path, and a digest of all of them.
std::string mixed(const std::string& lead, const std::vector<std::string>& others);

// Opened by a test: `test.gate` nodes wait for it, and say how many calls have come.
struct Gate {
  void open();
  void close();
  void pass();               // waits until it is open
  void wait_for(int calls);  // waits until so many calls wait in it
  int calls();

 private:
  std::mutex mutex_;
  bool open_ = true;
  int waiting_ = 0;
  int calls_ = 0;
};
Gate& gate();

// How many nodes `test.fail_run` are open.
int open_nodes();

}  // namespace sluice::testing
