// A StreamListener for tests: writes down what the bus says of streams, and lets a test wait for it.
//
// Threads: all functions, any thread. Waiting has an upper bound, and gives false when it is reached.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/bus/streams.h"
#include "tests/unit/bus/bus_observer.h"

namespace weir {

class StreamObserver : public StreamListener {
 public:
  void on_stream_subscribed(std::string_view channel) override {
    note([&] { log_.push_back("subscribed " + std::string(channel)); });
  }
  void on_stream_made_anew(std::string_view channel) override { on_stream_lost(channel); }
  void on_stream_lost(std::string_view channel) override {
    note([&] { log_.push_back("lost " + std::string(channel)); });
  }
  void on_stream_refused(std::string_view channel, std::string_view why) override {
    note([&] { log_.push_back("refused " + std::string(channel) + ": " + std::string(why)); });
  }
  void on_announced(std::string_view channel, StreamEntry entry) override {
    note([&] { announced_[std::string(channel)].push_back(std::move(entry)); });
  }
  void on_followed(std::string_view channel, std::vector<StreamEntry> entries) override {
    note([&] {
      for (StreamEntry& entry : entries) followed_[std::string(channel)].push_back(std::move(entry));
    });
  }
  void on_readable(bool is_readable) override {
    note([&] { log_.push_back(is_readable ? "readable" : "unreadable"); });
  }

  // Until `line` was said `times` times: "subscribed CHANNEL", "lost CHANNEL", "refused CHANNEL: WHY", "readable",
  // "unreadable".
  bool wait_for_line(const std::string& line, int times = 1) {
    return wait([&] { return std::count(log_.begin(), log_.end(), line) >= times; });
  }
  // Until a line begins with `begin`; that line, or an empty text.
  std::string wait_for_line_beginning(const std::string& begin) {
    std::string found;
    wait([&] {
      const auto line =
          std::find_if(log_.begin(), log_.end(), [&](const auto& it) { return it.starts_with(begin); });
      if (line != log_.end()) found = *line;
      return line != log_.end();
    });
    return found;
  }
  bool wait_for_announced(const std::string& channel, std::size_t count) {
    return wait([&] { return announced_[channel].size() >= count; });
  }
  bool wait_for_followed(const std::string& channel, std::size_t count) {
    return wait([&] { return followed_[channel].size() >= count; });
  }
  std::vector<std::string> lines() const {
    const std::lock_guard lock(mutex_);
    return log_;
  }
  std::vector<StreamEntry> announced(const std::string& channel) const {
    return entries(announced_, channel);
  }
  std::vector<StreamEntry> followed(const std::string& channel) const { return entries(followed_, channel); }

 private:
  using Entries = std::map<std::string, std::vector<StreamEntry>>;

  std::vector<StreamEntry> entries(const Entries& all, const std::string& channel) const {
    const std::lock_guard lock(mutex_);
    const auto found = all.find(channel);
    return found == all.end() ? std::vector<StreamEntry>{} : found->second;
  }
  bool wait(const std::function<bool()>& is_true) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kTestDeadline, is_true);
  }
  template <typename Change>
  void note(const Change& change) {
    {
      const std::lock_guard lock(mutex_);
      change();
    }
    changed_.notify_all();
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> log_;
  Entries announced_;
  Entries followed_;
};

inline std::vector<std::string> payloads_of(const std::vector<StreamEntry>& entries) {
  std::vector<std::string> payloads;
  for (const StreamEntry& entry : entries) payloads.push_back(entry.payload);
  return payloads;
}
inline std::vector<std::uint64_t> ordinals_of(const std::vector<StreamEntry>& entries) {
  std::vector<std::uint64_t> ordinals;
  for (const StreamEntry& entry : entries) ordinals.push_back(entry.id.n);
  return ordinals;
}

// The results of reads, in the order of their completion.
class ReadResults {
 public:
  Streams::ReadDone collect() {
    return [this](StreamReadResult result) {
      // Notified under the lock: this object may be gone as soon as the waiting test sees the last result.
      const std::lock_guard lock(mutex_);
      results_.push_back(std::move(result));
      changed_.notify_all();
    };
  }
  // The first `count` results; fewer if they don't come in time.
  std::vector<StreamReadResult> wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kTestDeadline, [&] { return results_.size() >= count; });
    return results_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<StreamReadResult> results_;
};

inline StreamReadResult read_and_wait(Streams& streams, StreamRead read) {
  ReadResults results;
  streams.read(std::move(read), results.collect());
  auto all = results.wait_for(1);
  if (all.empty()) return {.why = "the test waited in vain"};
  return std::move(all.front());
}

inline PublishResult publish_and_wait(Streams& streams, DurableMessage message) {
  PublishResults results;
  streams.publish(std::move(message), results.collect());
  const auto all = results.wait_for(1);
  return all.empty() ? PublishResult{PublishOutcome::kUnknown, 0, "the test waited in vain"} : all.front();
}

}  // namespace weir
