// Answers a HistoryQuery: goes through the pages behind an id until there are enough messages.
//
// Threads: answer() on any. `done` is called on some thread.
// Limits:  kQueriesMax under way, kPageBytesMax of data each, or one larger message. One that is not answered within
//          `timeout` is kUnavailable.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <list>
#include <memory>

#include "broker/base/mutex.h"
#include "broker/hub/gateway.h"
#include "broker/hub/history_reader.h"

namespace weir {

class HistoryQueries {
 public:
  static constexpr std::size_t kQueriesMax = 256;
  static constexpr std::size_t kPageBytesMax = 1 << 20;

  HistoryQueries(HistoryReader& history, std::chrono::milliseconds timeout)
      : history_(history), timeout_(timeout) {}

  // `stream` is the channel's.
  void answer(ChannelStreamPtr stream, HistoryQuery query, std::function<void(HistoryPage)> done);
  // Ends those that wait for too long.
  void tick(std::chrono::steady_clock::time_point now) EXCLUDES(mutex_);
  std::size_t under_way() const { return under_way_.load(std::memory_order_relaxed); }

 private:
  struct Answer;
  using AnswerPtr = std::shared_ptr<Answer>;

  void begin_behind(const AnswerPtr& answer, const Located& located);
  void read_on(const AnswerPtr& answer);
  void finish(const AnswerPtr& answer, HistoryPage::Outcome outcome);

  HistoryReader& history_;
  const std::chrono::milliseconds timeout_;
  Mutex mutex_;
  std::list<std::weak_ptr<Answer>> answers_ GUARDED_BY(mutex_);  // Those under way; some may have ended.
  std::atomic<std::size_t> under_way_{0};
};

}  // namespace weir
