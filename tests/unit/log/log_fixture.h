// What the tests of the log share: a channel's log, and verbs to fill and read it.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker/log/channel_log.h"
#include "proto/event_id.h"
#include "proto/message.h"

namespace weir {

inline constexpr Sequence kNoHorizon = std::numeric_limits<Sequence>::max();
inline constexpr std::size_t kNoLimit = std::numeric_limits<std::size_t>::max();

inline Message message_of(const std::string& data, const std::string& type = {}) {
  Message message;
  message.data = data;
  message.type = type;
  return message;
}

inline Message end_message() {
  Message message;
  message.type = "weir:end";
  message.is_end = true;
  message.has_data = false;
  return message;
}

class LogTest : public ::testing::Test {
 protected:
  // Everything is kept unless a test says otherwise.
  static ChannelLog::Limits no_limits() {
    return {.history_messages = 1'000,
            .history_bytes = 1 << 20,
            .history_age = std::chrono::hours(1),
            .queue_messages = 1'000,
            .queue_bytes = 1 << 20,
            .keeps_latest = false};
  }
  static ChannelLog::Limits history_of(std::size_t messages) {
    auto limits = no_limits();
    limits.history_messages = messages;
    return limits;
  }

  Sequence append(ChannelLog& log, const Message& message) {
    ++sequence_;
    log.append(Frame::of_message(message, "news", format_event_id("epoch000", sequence_, {}, message.is_end),
                                 counter_),
               sequence_, now_);
    return sequence_;
  }
  Sequence append(ChannelLog& log, const std::string& data) { return append(log, message_of(data)); }
  Sequence append_gap(ChannelLog& log, std::optional<std::uint64_t> missed, GapReason reason) {
    ++sequence_;
    log.append(Frame::of_gap("news", missed, reason, format_event_id("epoch000", sequence_), counter_),
               sequence_, now_);
    return sequence_;
  }

  // The data of the messages after `from`.
  static std::vector<std::string> data_after(const ChannelLog& log, const Cursor& from,
                                             Sequence horizon = kNoHorizon) {
    std::vector<LogEntry> entries;
    EXPECT_FALSE(log.read(from, horizon, kNoLimit, entries).is_forgotten);
    std::vector<std::string> data;
    for (const LogEntry& entry : entries) data.push_back(data_of(*entry.frame));
    return data;
  }
  static std::string data_of(const Frame& frame) {
    return decode_block(block_of_chunk(frame.chunk(Form::kChannel, "news"))).data;
  }

  std::shared_ptr<FrameBytes> counter_ = std::make_shared<FrameBytes>();
  SteadyTime now_ = std::chrono::steady_clock::time_point(std::chrono::hours(1));
  Sequence sequence_ = 0;
};

}  // namespace weir
