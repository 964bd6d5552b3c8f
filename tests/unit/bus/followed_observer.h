// A StreamListener for tests: writes down what it is told, reads the tail as the hub does, and follows.
//
// Threads: the StreamListener's functions on the bus thread, all others on any. Waiting has an upper bound,
//          and gives false when it is reached.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/bus/streams.h"
#include "tests/unit/bus/bus_observer.h"

namespace weir {

class FollowedObserver : public StreamListener {
 public:
  // Called in on_stream_subscribed(), with the id of the last entry so far: follows.
  using Follow = std::function<void(std::string_view channel, StreamId after)>;

  explicit FollowedObserver(Follow follow) : follow_(std::move(follow)) {}

  void on_stream_subscribed(std::string_view channel) override {
    StreamId after;
    note(channel, [&](Channel& of) {
      ++of.subscribed;
      of.is_subscribed = true;
      after = of.last;
    });
    follow_(channel, after);
  }
  void on_stream_made_anew(std::string_view channel) override {
    // It may be lost already.
    if (of(std::string(channel)).is_subscribed) on_stream_lost(channel);
  }
  void on_stream_lost(std::string_view channel) override {
    note(channel, [&](Channel& of) {
      ++of.lost;
      of.lost_behind.insert(of.payloads.size());
      if (!of.is_subscribed) of.faults.push_back("lost twice");
      of.is_subscribed = false;
    });
  }
  void on_stream_refused(std::string_view channel, std::string_view why) override {
    note(channel, [&](Channel& of) { of.refused = why; });
  }
  void on_announced(std::string_view, StreamEntry) override {}
  void on_readable(bool) override {}
  void on_followed(std::string_view channel, std::vector<StreamEntry> entries) override {
    note(channel, [&](Channel& of) {
      if (!of.is_subscribed) of.faults.push_back("entries while lost");
      if (entries.empty()) of.faults.push_back("no entries");
      for (StreamEntry& entry : entries) {
        if (entry.id <= of.last) of.faults.push_back("out of order: " + format_stream_id(entry.id));
        of.last = entry.id;
        of.payloads.push_back(entry.is_too_large ? "(too large)" : std::move(entry.payload));
      }
    });
  }

  // The next follow() of `channel` begins behind `id`.
  void set_last(const std::string& channel, StreamId id) {
    note(channel, [&](Channel& of) { of.last = id; });
  }
  bool wait(const std::function<bool()>& is_true) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kTestDeadline, is_true);
  }
  bool wait_for_payloads(const std::string& channel, std::size_t count) {
    return wait([&] { return channels_[channel].payloads.size() >= count; });
  }
  // Until `channels` of them were told as subscribed `times` times each.
  bool wait_for_subscribed(std::size_t channels, int times = 1) {
    return wait([&] { return count([&](const Channel& of) { return of.subscribed >= times; }) >= channels; });
  }
  bool wait_for_subscribed(const std::string& channel, int times = 1) {
    return wait([&] { return channels_[channel].subscribed >= times; });
  }
  bool wait_for_lost(std::size_t channels) {
    return wait([&] { return count([](const Channel& of) { return of.lost > 0; }) >= channels; });
  }
  bool wait_for_refused(const std::string& channel) {
    return wait([&] { return !channels_[channel].refused.empty(); });
  }
  // Until all channels together have so many.
  bool wait_for_total(std::size_t payloads) {
    return wait([&] { return total_ >= payloads; });
  }

  std::vector<std::string> payloads(const std::string& channel) { return of(channel).payloads; }
  std::string refused(const std::string& channel) { return of(channel).refused; }
  int times_lost(const std::string& channel) { return of(channel).lost; }
  // How many payloads there were at each loss.
  std::set<std::size_t> lost_behind(const std::string& channel) { return of(channel).lost_behind; }
  int times_subscribed(const std::string& channel) { return of(channel).subscribed; }
  std::size_t channels_lost() {
    const std::lock_guard lock(mutex_);
    return count([](const Channel& of) { return of.lost > 0; });
  }
  // What no bus may do, in words.
  std::vector<std::string> faults() {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> all;
    for (const auto& [name, of] : channels_) {
      for (const std::string& fault : of.faults) all.push_back(name + ": " + fault);
    }
    return all;
  }

 private:
  struct Channel {
    int subscribed = 0;
    int lost = 0;
    std::set<std::size_t> lost_behind;
    bool is_subscribed = false;
    std::string refused;
    StreamId last;
    std::vector<std::string> payloads;
    std::vector<std::string> faults;
  };

  template <typename Change>
  void note(std::string_view channel, const Change& change) {
    {
      const std::lock_guard lock(mutex_);
      Channel& of = channels_[std::string(channel)];
      const std::size_t before = of.payloads.size();
      change(of);
      total_ += of.payloads.size() - before;
    }
    changed_.notify_all();
  }
  Channel of(const std::string& channel) {
    const std::lock_guard lock(mutex_);
    return channels_[channel];
  }
  template <typename Is>
  std::size_t count(const Is& is) const {
    return static_cast<std::size_t>(
        std::count_if(channels_.begin(), channels_.end(), [&](const auto& it) { return is(it.second); }));
  }

  const Follow follow_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, Channel> channels_;
  std::size_t total_ = 0;
};

}  // namespace weir
