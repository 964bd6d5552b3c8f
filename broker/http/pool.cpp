#include "broker/http/pool.h"

#include <utility>

#include "process/thread.h"

namespace weir {

namespace {

// How many jobs a thread takes at once.
constexpr std::size_t kBatch = 8;
// Call another thread only if the present ones would have more than this to do: jobs are short and never
// wait, waking a thread costs as much as one of them, and threads contend.
constexpr std::size_t kEnough = 32;

}  // namespace

Pool::Pool(std::size_t threads, std::size_t jobs_max) : jobs_max_(jobs_max) {
  for (std::size_t i = 0; i < threads; ++i) {
    threads_.push_back(start_thread("weir-http", [this] { work(); }));
  }
}

Pool::~Pool() { stop(); }

bool Pool::submit(Job job) {
  {
    const MutexLock lock(mutex_);
    if (is_stopped_ || jobs_.load(std::memory_order_relaxed) >= jobs_max_) return false;
    jobs_.fetch_add(1, std::memory_order_relaxed);
    waiting_.push_back(std::move(job));
    if (idle_ == 0 || waiting_.size() <= kEnough * (threads_.size() - idle_)) return true;
    --idle_;
    ++calls_;
  }
  is_needed_.notify_one();
  return true;
}

void Pool::stop() {
  {
    const MutexLock lock(mutex_);
    is_stopped_ = true;
  }
  is_needed_.notify_all();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

void Pool::work() {
  std::vector<Job> batch;
  while (take(batch)) {
    for (Job& job : batch) {
      std::exchange(job, nullptr)();
      jobs_.fetch_sub(1, std::memory_order_relaxed);
    }
    batch.clear();
  }
}

bool Pool::take(std::vector<Job>& batch) {
  const MutexLock lock(mutex_);
  while (waiting_.empty()) {
    if (is_stopped_) return false;
    ++idle_;
    while (calls_ == 0 && !is_stopped_) is_needed_.wait(mutex_);
    calls_ > 0 ? --calls_ : --idle_;
  }
  while (!waiting_.empty() && batch.size() < kBatch) {
    batch.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  return true;
}

}  // namespace weir
