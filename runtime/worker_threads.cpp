#include "sluice/runtime/worker_threads.h"

#include <pthread.h>

namespace sluice {

void name_this_thread(const std::string& name) {
  pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
}

WorkerThreads::WorkerThreads(Scheduler& scheduler, std::size_t threads, const std::string& name)
    : scheduler_(scheduler) {
  for (std::size_t i = 0; i < threads; ++i) {
    threads_.emplace_back([this, name] {
      name_this_thread(name);
      loop();
    });
  }
}

WorkerThreads::~WorkerThreads() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_came_.notify_all();
}

void WorkerThreads::submit(Runnable& work) {
  scheduler_.begin_external();
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(&work);
  }
  work_came_.notify_one();
}

void WorkerThreads::loop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    work_came_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    Runnable& work = *queue_.front();
    queue_.pop_front();
    lock.unlock();
    work.run();
    scheduler_.end_external();
    lock.lock();
  }
}

}  // namespace sluice
