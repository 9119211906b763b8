#pragma once

#include "sluice/runtime/scheduler.h"

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace sluice {

// The threads of one node that may wait: they run its work, so that no pool thread has to.
// Threads: thread-safe. Lifetime: work lives until it has run; destruction waits for all of it.
class WorkerThreads {
 public:
  WorkerThreads(Scheduler& scheduler, std::size_t threads, const std::string& name);
  ~WorkerThreads();
  void submit(Runnable& work);

 private:
  void loop();

  Scheduler& scheduler_;
  std::mutex mutex_;
  std::condition_variable work_came_;
  std::deque<Runnable*> queue_;
  bool stopping_ = false;
  std::vector<std::jthread> threads_;
};

// Names the calling thread for debuggers and `top -H`; 15 characters are kept.
void name_this_thread(const std::string& name);

}  // namespace sluice
