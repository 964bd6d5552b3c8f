// Streams in memory, whose reads are answered when a test says so.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "broker/bus/streams.h"

namespace weir {

class FakeStreams : public Streams {
 public:
  using Outcome = StreamReadResult::Outcome;

  void set_listener(StreamListener& listener) override { listener_ = &listener; }
  void subscribe(std::string channel, StreamSource) override { wanted.push_back(std::move(channel)); }
  void unsubscribe(std::string channel) override { std::erase(wanted, channel); }
  void publish(DurableMessage, Bus::PublishDone done) override { done({PublishOutcome::kDelivered, 1, {}}); }
  void follow(std::string_view channel, StreamId after) override {
    followed.emplace_back(std::string(channel), after);
  }
  void read(StreamRead read, ReadDone done) override {
    ++asked;
    reads.emplace_back(std::move(read), std::move(done));
  }

  // What an application or weir_publish does.
  void add(const std::string& channel, StreamEntry entry) {
    ends[channel] = std::max(ends[channel], entry.id);
    entries[channel].push_back(std::move(entry));
  }
  // Leaves the newest `count`.
  void trim(const std::string& channel, std::size_t count) {
    auto& stream = entries[channel];
    if (stream.size() > count)
      stream.erase(stream.begin(), stream.end() - static_cast<std::ptrdiff_t>(count));
  }
  void remove(const std::string& channel) {
    entries.erase(channel);
    ends.erase(channel);
  }

  // Answers the read that was asked for first. False if there is none.
  bool answer(Outcome outcome = Outcome::kRead) {
    if (reads.empty()) return false;
    const auto [read, done] = std::move(reads.front());
    reads.pop_front();
    done(outcome == Outcome::kRead ? result_of(read) : StreamReadResult{.outcome = outcome, .why = "why"});
    return true;
  }
  void answer_all() {
    while (answer()) {
    }
  }
  StreamReadResult result_of(const StreamRead& read) const {
    StreamReadResult result{.outcome = Outcome::kRead};
    const auto end = ends.find(read.channel);
    if (read.wants_end && end != ends.end()) result.end = end->second;
    result.is_trimmed = read.wants_end && trimmed.contains(read.channel);
    const auto found = entries.find(read.channel);
    if (found == entries.end()) return result;
    std::vector<StreamEntry> stream = found->second;
    if (read.is_downwards) std::reverse(stream.begin(), stream.end());
    for (const StreamEntry& entry : stream) {
      if (result.entries.size() == read.count) break;
      if (read.first <= entry.id && entry.id <= read.last) result.entries.push_back(entry);
    }
    return result;
  }

  StreamListener* listener() const { return listener_; }

  std::map<std::string, std::vector<StreamEntry>> entries;
  std::map<std::string, StreamId> ends;               // The ids that were given last.
  std::set<std::string> trimmed;                      // Have had entries that are not there any more.
  std::deque<std::pair<StreamRead, ReadDone>> reads;  // Not answered yet.
  std::size_t asked = 0;
  std::vector<std::string> wanted;
  std::vector<std::pair<std::string, StreamId>> followed;

 private:
  StreamListener* listener_ = nullptr;
};

}  // namespace weir
