// Reads the history of channels from their streams, a page at a time, and keeps pages for the next who ask.
//
// Threads:   on_readable() and completions on the bus thread; everything else on any, under one mutex.
// Ownership: the bus' streams, the budget and the tallies outlive it. Pages are shared with those who send them.
// Limits:    kReadsMax reads under way. `asks_max` questions in all that wait or are under way; one that comes past it
//            is refused, and one that is not wanted any more goes at the next tick. Pages are counted against
//            --memory-limit, and are a quarter of it at most; those unused for longest go first.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/base/keyed_hash.h"
#include "broker/base/mutex.h"
#include "broker/base/tally.h"
#include "broker/bus/streams.h"
#include "broker/fanout/history.h"
#include "broker/hub/entry_encoder.h"
#include "broker/log/memory_budget.h"

namespace weir {

class HistoryReader final : public History {
 public:
  static constexpr std::size_t kReadsMax = 64;

  struct Counts {
    std::size_t pages = 0;
    std::size_t page_bytes = 0;
    std::size_t waiting = 0;  // Reads, for their turn or for Redis.
    std::uint64_t pages_read = 0;
    std::uint64_t pages_found = 0;  // Asked for, and at hand.
  };

  // `page_bytes_max` is for all pages.
  HistoryReader(const EntryEncoder& encoder, std::shared_ptr<FrameBytes> frames, std::size_t page_bytes_max,
                std::size_t asks_max);
  ~HistoryReader() override;
  HistoryReader(const HistoryReader&) = delete;
  HistoryReader& operator=(const HistoryReader&) = delete;

  void set_streams(Streams& streams) { streams_ = &streams; }
  // Streams can be read, or no longer. What waits is read now, or kept.
  void on_readable(bool is_readable) EXCLUDES(mutex_);

  // History
  PagePtr find(const ChannelStream& stream, const StreamId& from) override EXCLUDES(mutex_);
  void read(const ChannelStreamPtr& stream, const StreamId& from, bool is_fresh,
            std::function<void(PagePtr)> done, IsWanted is_wanted) override EXCLUDES(mutex_);
  void locate(const ChannelStreamPtr& stream, const Wish& wish, std::function<void(Located)> done,
              IsWanted is_wanted) override EXCLUDES(mutex_);

  // Reads the newest entry: its id, and 0-0 if there is no stream.
  struct Tail {
    bool is_refused = false;
    std::string why = {};
    StreamId id = {};
    std::uint64_t time = 0;  // The entry's; 0 if it is not there any more.
  };
  void read_tail(const ChannelStreamPtr& stream, std::function<void(Tail)> done, IsWanted is_wanted)
      EXCLUDES(mutex_);

  // True if streams can be read at the moment.
  bool is_readable() const { return is_readable_.load(std::memory_order_relaxed); }
  // Lets go of a channel's pages: they are of a stream that is gone.
  void drop_pages(std::string_view channel) EXCLUDES(mutex_);
  // Lets go of the page that was unused for longest. False if there is none.
  bool evict_oldest() EXCLUDES(mutex_);
  // Lets go of pages that nobody has asked for since `now` - kUnusedMax.
  void tick(std::chrono::steady_clock::time_point now) EXCLUDES(mutex_);
  Counts counts() const EXCLUDES(mutex_);
  std::size_t page_bytes_max() const { return page_bytes_max_; }

 private:
  using Time = std::chrono::steady_clock::time_point;
  using PageDone = std::function<void(PagePtr)>;
  using ReadDone = std::function<void(StreamReadResult)>;

  struct Waiter {
    PageDone done;
    IsWanted is_wanted;
  };
  // A page under way.
  struct Fetch {
    ChannelStreamPtr stream;
    StreamId first;
    StreamId from;  // The furthest position that asks.
    std::size_t messages = 0;
    std::vector<Waiter> waiters;  // While it is in fetches_, under the mutex; fixed from then on.
    std::shared_ptr<Page> page;
    // The id that was given last, once it was asked for. The page is read again behind it, unless it is no news: what
    // is not there then was trimmed.
    std::optional<StreamId> end = {};
    bool is_trimmed = false;
  };
  using FetchPtr = std::shared_ptr<Fetch>;
  // A read of Redis. It is wanted as long as one of a fetch's waiters is, or as `is_wanted` says.
  struct Pending {
    StreamRead read;
    ReadDone done;
    FetchPtr fetch = nullptr;
    IsWanted is_wanted = nullptr;
  };
  struct Kept {
    PagePtr page;
    Time used;
    std::list<std::pair<std::string, StreamId>>::iterator in_use_order;
  };
  // By the first id.
  using Pages = std::map<StreamId, Kept>;
  struct Search;  // One locate().

  void start(Pending pending) EXCLUDES(mutex_);
  bool is_full() const EXCLUDES(mutex_);
  void start_waiting() EXCLUDES(mutex_);
  void on_read(Pending pending, StreamReadResult result) EXCLUDES(mutex_);

  void read_entries(const FetchPtr& fetch);
  void on_entries(const FetchPtr& fetch, StreamReadResult result);
  void read_before(const FetchPtr& fetch);
  void read_end(const FetchPtr& fetch);
  void finish(const FetchPtr& fetch, bool is_refused) EXCLUDES(mutex_);
  void keep(const ChannelStream& stream, const PagePtr& page) REQUIRES(mutex_);
  void drop(const std::string& channel, const StreamId& first) REQUIRES(mutex_);
  void forget_unwanted() EXCLUDES(mutex_);
  void forget(const Fetch& fetch) REQUIRES(mutex_);

  using SearchPtr = std::shared_ptr<Search>;
  void step(const SearchPtr& search, StreamRead read, ReadDone done);
  void find_birth(const SearchPtr& search);
  void find_number(const SearchPtr& search, const StreamId& newest, std::uint64_t number);
  void find_time(const SearchPtr& search);
  void halve(const SearchPtr& search);
  void find_in_followed(const SearchPtr& search, const StreamId& last);
  void give_begin(const SearchPtr& search);
  void find_last_end(const SearchPtr& search, const StreamId& from);

  const EntryEncoder& encoder_;
  const std::shared_ptr<FrameBytes> frames_;  // Shared with all frames.
  const std::size_t page_bytes_max_;
  const std::size_t asks_max_;
  Streams* streams_ = nullptr;
  std::atomic<bool> is_readable_{false};
  std::atomic<std::uint64_t> pages_read_{0};
  std::atomic<std::uint64_t> pages_found_{0};

  mutable Mutex mutex_;
  std::deque<Pending> waiting_ GUARDED_BY(mutex_);
  std::size_t reads_ GUARDED_BY(mutex_) = 0;
  std::size_t joined_ GUARDED_BY(mutex_) = 0;  // Waiters of fetches_, besides the first of each.
  // Redis would not take the last read: wait for on_readable() or tick().
  bool is_stalled_ GUARDED_BY(mutex_) = false;
  NameMap<std::map<StreamId, FetchPtr>> fetches_ GUARDED_BY(mutex_);
  NameMap<Pages> pages_ GUARDED_BY(mutex_);
  std::list<std::pair<std::string, StreamId>> use_order_ GUARDED_BY(mutex_);  // The latest used last.
  std::size_t page_bytes_ GUARDED_BY(mutex_) = 0;
};

}  // namespace weir
