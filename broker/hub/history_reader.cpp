#include "broker/hub/history_reader.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "proto/position.h"

namespace weir {
namespace {

// Pages that nobody has asked for in so long are let go.
constexpr std::chrono::seconds kUnusedMax{60};
// How many births of a stream are looked through. Each is a start of Redis within the stream's life.
constexpr std::size_t kBirthsMax = 256;
// Whoever asks for more of a followed stream's newest entries gets all: they are counted one by one.
constexpr std::uint64_t kNewestMax = 10'000;

StreamSource source_of(const ChannelStream& stream) {
  StreamSource source;
  source.kind = stream.is_durable() ? StreamSource::Kind::kDurable : StreamSource::Kind::kFollowed;
  source.key = stream.key;
  source.data_field = stream.data_field;
  return source;
}

StreamRead read_of(const ChannelStream& stream, std::size_t count) {
  StreamRead read;
  read.channel = stream.channel;
  read.source = source_of(stream);
  read.count = count;
  return read;
}

StreamRead upwards(const ChannelStream& stream, const StreamId& first, std::size_t count) {
  StreamRead read = read_of(stream, count);
  read.first = first;
  return read;
}

StreamRead downwards(const ChannelStream& stream, const StreamId& last, std::size_t count) {
  StreamRead read = read_of(stream, count);
  read.last = last;
  read.is_downwards = true;
  return read;
}

StreamRead end_of(const ChannelStream& stream) {
  StreamRead read = read_of(stream, 0);
  read.wants_end = true;
  return read;
}

bool is_refused(const StreamReadResult& result) {
  return result.outcome == StreamReadResult::Outcome::kRefused;
}

void note_entry_bytes(ChannelStream& stream, std::size_t bytes) {
  std::size_t largest = stream.entry_bytes.load(std::memory_order_relaxed);
  while (bytes > largest && !stream.entry_bytes.compare_exchange_weak(largest, bytes)) {
  }
}

// Up to here everything that there was is on the page.
StreamId last_seen(const Page& page) {
  if (!page.entries.empty()) return page.entries.back().frame->stream_id();
  return page.first == kStreamBegin ? kStreamBegin : id_before(page.first);
}

}  // namespace

HistoryReader::HistoryReader(const EntryEncoder& encoder, std::shared_ptr<FrameBytes> frames,
                             std::size_t page_bytes_max, std::size_t asks_max)
    : encoder_(encoder), frames_(std::move(frames)), page_bytes_max_(page_bytes_max), asks_max_(asks_max) {}

HistoryReader::~HistoryReader() {
  while (evict_oldest()) {
  }
}

// --- Reads of Redis

void HistoryReader::start(Pending pending) {
  {
    const MutexLock lock(mutex_);
    waiting_.push_back(std::move(pending));
  }
  start_waiting();
}

bool HistoryReader::is_full() const {
  const MutexLock lock(mutex_);
  return waiting_.size() + joined_ >= asks_max_;
}

void HistoryReader::start_waiting() {
  for (;;) {
    auto pending = std::make_shared<Pending>();
    {
      const MutexLock lock(mutex_);
      if (waiting_.empty() || reads_ >= kReadsMax || is_stalled_ || !is_readable()) return;
      *pending = std::move(waiting_.front());
      waiting_.pop_front();
      ++reads_;
    }
    streams_->read(pending->read, [this, pending](StreamReadResult result) {
      on_read(std::move(*pending), std::move(result));
    });
  }
}

void HistoryReader::on_read(Pending pending, StreamReadResult result) {
  const bool is_away = result.outcome == StreamReadResult::Outcome::kAway;
  {
    const MutexLock lock(mutex_);
    --reads_;
    is_stalled_ = is_away;
    if (is_away) return waiting_.push_front(std::move(pending));
  }
  pending.done(std::move(result));
  start_waiting();
}

void HistoryReader::on_readable(bool is_readable) {
  is_readable_ = is_readable;
  {
    const MutexLock lock(mutex_);
    is_stalled_ = false;
  }
  start_waiting();
}

// Lets go of reads that nobody waits for any more.
void HistoryReader::forget_unwanted() {
  std::deque<Pending> unwanted;  // Destroyed without the lock.
  const MutexLock lock(mutex_);
  const auto is_wanted = [](const Pending& pending) {
    if (!pending.fetch) return pending.is_wanted();
    const auto& waiters = pending.fetch->waiters;
    return std::any_of(waiters.begin(), waiters.end(), [](const Waiter& each) { return each.is_wanted(); });
  };
  const auto first = std::stable_partition(waiting_.begin(), waiting_.end(), is_wanted);
  for (auto each = first; each != waiting_.end(); ++each) {
    if (each->fetch) forget(*each->fetch);
    unwanted.push_back(std::move(*each));
  }
  waiting_.erase(first, waiting_.end());
}

// Nobody joins it from now on.
void HistoryReader::forget(const Fetch& fetch) {
  const auto fetches = fetches_.find(fetch.stream->channel);
  if (fetches == fetches_.end()) return;
  const auto found = fetches->second.find(fetch.first);
  if (found == fetches->second.end() || found->second.get() != &fetch) return;
  joined_ -= fetch.waiters.size() - 1;
  fetches->second.erase(found);
  if (fetches->second.empty()) fetches_.erase(fetches);
}

void HistoryReader::read_tail(const ChannelStreamPtr& stream, std::function<void(Tail)> done,
                              IsWanted is_wanted) {
  if (is_full()) return done({.is_refused = true, .why = "too many reads wait"});
  const auto on_entry = [this, stream, done, is_wanted](StreamReadResult result) {
    if (is_refused(result)) return done({.is_refused = true, .why = std::move(result.why)});
    if (!result.entries.empty()) {
      note_entry_bytes(*stream, result.entries[0].payload.size());
      return done({.id = result.entries[0].id, .time = result.entries[0].time});
    }
    const auto on_end = [done](StreamReadResult end) {
      if (is_refused(end)) return done({.is_refused = true, .why = std::move(end.why)});
      done({.id = end.end.value_or(kStreamBegin)});
    };
    start({.read = end_of(*stream), .done = on_end, .is_wanted = is_wanted});
  };
  start({.read = downwards(*stream, kStreamEnd, 1), .done = on_entry, .is_wanted = is_wanted});
}

// --- Pages

PagePtr HistoryReader::find(const ChannelStream& stream, const StreamId& from) {
  const MutexLock lock(mutex_);
  const auto pages = pages_.find(stream.channel);
  if (pages == pages_.end() || from.n == kStreamEnd.n) return nullptr;
  auto found = pages->second.upper_bound({from.ms, from.n + 1});
  if (found == pages->second.begin()) return nullptr;
  --found;
  Kept& kept = found->second;
  if (!kept.page->reaches_past(from)) return nullptr;
  kept.used = std::chrono::steady_clock::now();
  use_order_.splice(use_order_.end(), use_order_, kept.in_use_order);
  pages_found_.fetch_add(1, std::memory_order_relaxed);
  return kept.page;
}

void HistoryReader::read(const ChannelStreamPtr& stream, const StreamId& from, bool is_fresh, PageDone done,
                         IsWanted is_wanted) {
  if (is_full()) return done(nullptr);
  auto fetch = std::make_shared<Fetch>();
  fetch->stream = stream;
  fetch->from = from;
  fetch->messages = page_messages(stream->entry_bytes.load(std::memory_order_relaxed));
  fetch->first = page_first(from, stream->kind, fetch->messages);
  if (!stream->is_durable()) ++fetch->messages;  // The page begins with the entry at `from`.
  {
    const MutexLock lock(mutex_);
    FetchPtr& under_way = fetches_[stream->channel][fetch->first];
    if (under_way && !is_fresh && under_way->messages == fetch->messages) {
      under_way->from = std::max(under_way->from, from);
      under_way->waiters.push_back({std::move(done), std::move(is_wanted)});
      ++joined_;
      return;
    }
    if (under_way) joined_ -= under_way->waiters.size() - 1;
    fetch->waiters.push_back({std::move(done), std::move(is_wanted)});
    under_way = fetch;
  }
  read_entries(fetch);
}

void HistoryReader::read_entries(const FetchPtr& fetch) {
  start({.read = upwards(*fetch->stream, fetch->first, fetch->messages),
         .done = [this, fetch](StreamReadResult result) { on_entries(fetch, std::move(result)); },
         .fetch = fetch});
}

void HistoryReader::on_entries(const FetchPtr& fetch, StreamReadResult result) {
  {
    // Who comes from now on reads anew, so its position is not among these.
    const MutexLock lock(mutex_);
    forget(*fetch);
  }
  if (is_refused(result)) return finish(fetch, true);
  pages_read_.fetch_add(1, std::memory_order_relaxed);
  const ChannelStream& stream = *fetch->stream;
  fetch->page = std::make_shared<Page>();
  Page& page = *fetch->page;
  page.first = fetch->first;
  page.is_last = result.entries.size() < fetch->messages;
  page.entries.reserve(result.entries.size());
  for (const StreamEntry& entry : result.entries) {
    note_entry_bytes(*fetch->stream, entry.payload.size());
    page.entries.push_back({encoder_.encode(entry, stream.channel, stream.envelope), entry.time});
    page.bytes += page.entries.back().frame->held_bytes();
  }
  read_before(fetch);
}

// Reads what stands before the page, where the page begins with something else than it was asked for.
void HistoryReader::read_before(const FetchPtr& fetch) {
  const Page& page = *fetch->page;
  bool is_needed = fetch->from != kStreamBegin && page.first != kStreamBegin;
  if (is_needed && !page.entries.empty()) {
    const StreamId& begin = page.entries.front().frame->stream_id();
    is_needed = fetch->stream->is_durable() ? begin.ms != page.first.ms : begin != page.first;
  }
  if (!is_needed) return read_end(fetch);
  const auto on_entry = [this, fetch](StreamReadResult result) {
    if (is_refused(result)) return finish(fetch, true);
    if (!result.entries.empty()) fetch->page->before = result.entries[0].id;
    read_end(fetch);
  };
  start({.read = downwards(*fetch->stream, id_before(page.first), 1), .done = on_entry, .fetch = fetch});
}

// Reads the id that was given last, where somebody is past the last entry that is there; and whether a followed stream
// has all its entries still, where none is as old as somebody's position.
void HistoryReader::read_end(const FetchPtr& fetch) {
  const Page& page = *fetch->page;
  const bool is_at_end = page.is_last && !page.reaches_past(fetch->from) &&
                         (page.entries.empty() || page.entries.back().frame->stream_id() != fetch->from);
  const bool has_as_old = page.before || (page.first != kStreamBegin && !page.entries.empty() &&
                                          page.entries.front().frame->stream_id() == page.first);
  if (!is_at_end && (fetch->stream->is_durable() || has_as_old)) return finish(fetch, false);
  const auto finish_with_end = [this, fetch, is_at_end] {
    // Of a page that goes on behind `from` it says nothing: what came since the page was read is not missing there.
    if (is_at_end) fetch->page->end = fetch->end;
    fetch->page->is_trimmed = fetch->is_trimmed;
    finish(fetch, false);
  };
  if (fetch->end) return finish_with_end();
  const auto on_end = [this, fetch, is_at_end, finish_with_end](StreamReadResult result) {
    if (is_refused(result)) return finish(fetch, true);
    fetch->end = result.end.value_or(kStreamBegin);
    fetch->is_trimmed = result.is_trimmed;
    // It may be of an entry that has come since the page was read. Of those who ask, one may be past it already while
    // another waits for just that entry.
    if (is_at_end && *fetch->end > last_seen(*fetch->page)) return read_entries(fetch);
    finish_with_end();
  };
  start({.read = end_of(*fetch->stream), .done = on_end, .fetch = fetch});
}

void HistoryReader::finish(const FetchPtr& fetch, bool is_refused) {
  const PagePtr page = is_refused ? nullptr : fetch->page;
  if (page && !page->entries.empty()) {
    const MutexLock lock(mutex_);
    keep(*fetch->stream, page);
  }
  for (const Waiter& waiter : fetch->waiters) waiter.done(page);
}

void HistoryReader::keep(const ChannelStream& stream, const PagePtr& page) {
  drop(stream.channel, page->first);
  frames_->enter_log(page->bytes);
  page_bytes_ += page->bytes;
  const auto in_use_order = use_order_.insert(use_order_.end(), {stream.channel, page->first});
  pages_[stream.channel].emplace(page->first, Kept{page, std::chrono::steady_clock::now(), in_use_order});
  while (page_bytes_ > page_bytes_max_) {
    const auto oldest = use_order_.front();
    drop(oldest.first, oldest.second);
  }
}

void HistoryReader::drop(const std::string& channel, const StreamId& first) {
  const auto pages = pages_.find(channel);
  if (pages == pages_.end()) return;
  const auto found = pages->second.find(first);
  if (found == pages->second.end()) return;
  frames_->leave_log(found->second.page->bytes);
  page_bytes_ -= found->second.page->bytes;
  use_order_.erase(found->second.in_use_order);
  pages->second.erase(found);
  if (pages->second.empty()) pages_.erase(pages);
}

void HistoryReader::drop_pages(std::string_view channel) {
  const MutexLock lock(mutex_);
  const std::string name(channel);
  for (auto pages = pages_.find(channel); pages != pages_.end(); pages = pages_.find(channel))
    drop(name, pages->second.begin()->first);
}

bool HistoryReader::evict_oldest() {
  const MutexLock lock(mutex_);
  if (use_order_.empty()) return false;
  const auto oldest = use_order_.front();
  drop(oldest.first, oldest.second);
  return true;
}

void HistoryReader::tick(std::chrono::steady_clock::time_point now) {
  {
    const MutexLock lock(mutex_);
    while (!use_order_.empty()) {
      const auto oldest = use_order_.front();
      if (now - pages_.find(oldest.first)->second.at(oldest.second).used < kUnusedMax) break;
      drop(oldest.first, oldest.second);
    }
    is_stalled_ = false;
  }
  forget_unwanted();
  start_waiting();
}

HistoryReader::Counts HistoryReader::counts() const {
  const MutexLock lock(mutex_);
  return {.pages = use_order_.size(),
          .page_bytes = page_bytes_,
          .waiting = waiting_.size(),
          .pages_read = pages_read_.load(std::memory_order_relaxed),
          .pages_found = pages_found_.load(std::memory_order_relaxed)};
}

// --- Places

struct HistoryReader::Search {
  ChannelStreamPtr stream;
  Wish wish;
  std::function<void(Located)> done;
  IsWanted is_wanted;
  std::size_t births = 0;
  std::uint64_t counted = 0;  // Entries of a followed stream.
  // kSince: the first entry of the birth that was looked at, and the last one of it.
  StreamId low = {};
  StreamId high = {};

  void refuse() const { done({.is_refused = true}); }
  void give(const StreamId& position, std::optional<PageStep::Gap> gap = std::nullopt) const {
    done({.position = position, .gap = gap});
  }
};

void HistoryReader::locate(const ChannelStreamPtr& stream, const Wish& wish,
                           std::function<void(Located)> done, IsWanted is_wanted) {
  auto search = std::make_shared<Search>();
  search->stream = stream;
  search->wish = wish;
  search->done = std::move(done);
  search->is_wanted = std::move(is_wanted);
  if (is_full()) return search->refuse();
  if (wish.kind == Wish::Kind::kLastEnd) return find_last_end(search, wish.from);
  if (wish.kind == Wish::Kind::kBirth) return find_birth(search);
  const auto begin = [this, search](const Tail& tail) {
    if (tail.is_refused) return search->refuse();
    if (!search->stream->is_durable()) return find_in_followed(search, kStreamEnd);
    const std::uint64_t number = search->wish.number;
    if (search->wish.kind == Wish::Kind::kNewest)
      return find_number(search, tail.id, number < tail.id.n ? tail.id.n - number : 0);
    if (tail.time == 0 || tail.time < number) return search->give(tail.id);
    search->high = tail.id;
    find_time(search);
  };
  read_tail(stream, begin, search->is_wanted);
}

void HistoryReader::step(const SearchPtr& search, StreamRead read, ReadDone done) {
  start({.read = std::move(read), .done = std::move(done), .is_wanted = search->is_wanted});
}

// A birth that is not there any more: its time tells where it was. Pages and logs may have entries of it still, which
// come before that.
void HistoryReader::find_birth(const SearchPtr& search) {
  step(search, upwards(*search->stream, {search->wish.from.ms, 0}, 1), [search](StreamReadResult result) {
    if (is_refused(result)) return search->refuse();
    StreamId position = search->wish.from;
    const bool is_there =
        !result.entries.empty() && time_of_birth(result.entries[0].id.ms) == time_of_birth(position.ms);
    position.ms = is_there ? result.entries[0].id.ms : last_birth_of(time_of_birth(position.ms));
    search->give(position);
  });
}

// Finds the position of number `number`, in the birth of `newest` or an earlier one.
void HistoryReader::find_number(const SearchPtr& search, const StreamId& newest, std::uint64_t number) {
  if (newest == kStreamBegin || number >= newest.n) return search->give(newest);
  step(search, upwards(*search->stream, {newest.ms, 0}, 1),
       [this, search, newest, number](StreamReadResult result) {
         if (is_refused(result)) return search->refuse();
         // The birth's first entry that is still there; behind `newest` if all were trimmed.
         const StreamId first =
             result.entries.empty() ? StreamId{newest.ms, newest.n + 1} : result.entries[0].id;
         if (first.ms == newest.ms && first.n <= number + 1) return search->give({newest.ms, number});
         step(search, downwards(*search->stream, id_before({newest.ms, 0}), 1),
              [this, search, first, number](StreamReadResult earlier) {
                if (is_refused(earlier)) return search->refuse();
                if (!earlier.entries.empty() && ++search->births < kBirthsMax)
                  return find_number(search, earlier.entries[0].id, number);
                search->give(id_before(first), PageStep::Gap{first.n - 1 - number, GapReason::kHistory});
              });
       });
}

// Finds the last entry before the wished time: goes back birth by birth, then halves the one that it is in. `high` is
// an entry at or after that time.
void HistoryReader::find_time(const SearchPtr& search) {
  const StreamId high = search->high;
  step(search, upwards(*search->stream, {high.ms, 0}, 1), [this, search, high](StreamReadResult result) {
    if (is_refused(result)) return search->refuse();
    if (result.entries.empty() || result.entries[0].id.ms != high.ms) return search->give(id_before(high));
    const StreamEntry& first = result.entries[0];
    if (first.time < search->wish.number) {
      search->low = first.id;
      return halve(search);
    }
    step(search, downwards(*search->stream, id_before({high.ms, 0}), 1),
         [this, search, begin = first.id](StreamReadResult earlier) {
           if (is_refused(earlier)) return search->refuse();
           if (!earlier.entries.empty()) {
             const StreamEntry& last = earlier.entries[0];
             if (last.time < search->wish.number || ++search->births == kBirthsMax)
               return search->give(last.id);
             search->high = last.id;
             return find_time(search);
           }
           // The stream begins here. What was trimmed may have been since then, too.
           const bool is_whole = begin.n == 1;
           search->give(
               id_before(begin),
               is_whole ? std::nullopt : std::optional(PageStep::Gap{std::nullopt, GapReason::kHistory}));
         });
  });
}

// `low` is before the wished time, `high` is not; both are of one birth.
void HistoryReader::halve(const SearchPtr& search) {
  if (search->high.n - search->low.n <= 1) return search->give(search->low);
  const StreamId middle{search->low.ms, search->low.n + (search->high.n - search->low.n) / 2};
  step(search, upwards(*search->stream, middle, 1), [this, search, middle](StreamReadResult result) {
    if (is_refused(result)) return search->refuse();
    const bool is_there = !result.entries.empty() && result.entries[0].id < search->high;
    // Entries may have been deleted one by one.
    if (is_there && result.entries[0].time < search->wish.number) {
      search->low = result.entries[0].id;
    } else {
      search->high = middle;
    }
    halve(search);
  });
}

// A followed stream: the time stands in the ids, and the newest are counted, from `last` downwards.
void HistoryReader::find_in_followed(const SearchPtr& search, const StreamId& last) {
  const ChannelStream& stream = *search->stream;
  const Wish& wish = search->wish;
  if (wish.kind == Wish::Kind::kSince) {
    const StreamId before = wish.number == 0 ? kStreamBegin : id_before({wish.number, 0});
    return step(search, downwards(stream, before, 1), [this, search](StreamReadResult result) {
      if (is_refused(result)) return search->refuse();
      if (result.entries.empty()) return give_begin(search);
      search->give(result.entries[0].id);
    });
  }
  if (wish.number > kNewestMax) return give_begin(search);
  const auto left = static_cast<std::size_t>(wish.number - search->counted);
  const std::size_t count = std::min(left, page_messages(stream.entry_bytes.load(std::memory_order_relaxed)));
  step(search, downwards(stream, last, count), [this, search, count](StreamReadResult result) {
    if (is_refused(result)) return search->refuse();
    search->counted += result.entries.size();
    if (result.entries.size() < count) return give_begin(search);
    const StreamId oldest = id_before(result.entries.back().id);
    if (search->counted == search->wish.number) {
      // The entry before, so that the position is one of the stream.
      return step(search, downwards(*search->stream, oldest, 1), [search](StreamReadResult before) {
        if (is_refused(before)) return search->refuse();
        search->give(before.entries.empty() ? kStreamAnew : before.entries[0].id);
      });
    }
    find_in_followed(search, oldest);
  });
}

// The whole of a followed stream is wanted: what was trimmed is missing, nobody knows how much of it.
void HistoryReader::give_begin(const SearchPtr& search) {
  step(search, end_of(*search->stream), [search](StreamReadResult result) {
    if (is_refused(result)) return search->refuse();
    if (!result.is_trimmed) return search->give(kStreamBegin);
    search->give(kStreamAnew, PageStep::Gap{std::nullopt, GapReason::kHistory});
  });
}

// Goes through the pages behind `from`.
void HistoryReader::find_last_end(const SearchPtr& search, const StreamId& from) {
  const auto look = [this, search, from](const PagePtr& page) {
    if (!page) return search->refuse();
    for (const PageEntry& entry : page->entries) {
      if (entry.frame->kind() == FrameKind::kEnd && entry.frame->stream_id() > search->wish.from)
        search->wish.from = entry.frame->stream_id();
    }
    if (page->is_last || !page->reaches_past(from)) return search->give(search->wish.from);
    find_last_end(search, page->entries.back().frame->stream_id());
  };
  const PagePtr page = find(*search->stream, from);
  if (page && !page->is_last) return look(page);
  read(search->stream, from, /*is_fresh=*/false, look, search->is_wanted);
}

}  // namespace weir
