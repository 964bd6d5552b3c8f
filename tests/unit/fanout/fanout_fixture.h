// What the tests of the fan-out share: channels to publish on, in the place of hub and bus.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "broker/fanout/channel.h"
#include "broker/fanout/client.h"
#include "broker/fanout/shard.h"
#include "proto/event_id.h"
#include "proto/message.h"
#include "tests/unit/fanout/stream_reader.h"

namespace weir {

inline const std::string kEpoch = "epoch000";

// Generous: nothing is forgotten, nobody is slow, and no timer fires, unless a test says otherwise.
inline ChannelLog::Limits log_limits() {
  return {.history_messages = 100,
          .history_bytes = 1 << 20,
          .history_age = std::chrono::minutes(5),
          .queue_messages = 10'000,
          .queue_bytes = 4 << 20};
}
inline ShardOptions shard_options() {
  return {.epoch = kEpoch,
          .heartbeat = std::chrono::seconds(15),
          .retry = std::chrono::seconds(2),
          .drain_retry = std::chrono::milliseconds(0),
          .stuck = std::chrono::seconds(60),
          .max_stream = std::chrono::seconds(0),
          .socket_unsent_bytes = 128 << 10};
}

// Gives out sequences and appends, as the hub does on the bus thread.
class Publisher {
 public:
  // Returns the sequence.
  Sequence publish(Channel& channel, const Message& message) {
    const Sequence sequence = appended_.load() + 1;
    const std::string id = format_event_id(kEpoch, sequence, message.id, message.is_end);
    return append(channel, Frame::of_message(message, channel.name, id, counter_), sequence);
  }
  Sequence publish(Channel& channel, const std::string& data, const std::string& type = {}) {
    Message message;
    message.data = data;
    message.type = type;
    return publish(channel, message);
  }
  Sequence publish_end(Channel& channel) {
    Message message;
    message.type = "weir:end";
    message.is_end = true;
    message.has_data = false;
    return publish(channel, message);
  }
  Sequence publish_gap(Channel& channel, std::optional<std::uint64_t> missed, GapReason reason) {
    const Sequence sequence = appended_.load() + 1;
    return append(channel,
                  Frame::of_gap(channel.name, missed, reason, format_event_id(kEpoch, sequence), counter_),
                  sequence);
  }
  // The same in two steps: what the shards see is in the log, but neither its sequence nor its
  // hint is out yet.
  Sequence append_only(Channel& channel, const std::string& data) {
    Message message;
    message.data = data;
    const Sequence sequence = appended_.load() + 1;
    const std::string id = format_event_id(kEpoch, sequence);
    channel.log.append(Frame::of_message(message, channel.name, id, counter_), sequence,
                       std::chrono::steady_clock::now());
    return sequence;
  }
  void announce(Channel& channel, Sequence sequence) {
    appended_.store(sequence);
    channel.leave_hint();
  }
  void acknowledge(Channel& channel) {
    if (channel.log.begin_sequence() == 0) channel.log.begin(++appended_);
    if (channel.owes_gap.exchange(false)) publish_gap(channel, std::nullopt, GapReason::kBusDown);
    channel.is_live = true;
    channel.leave_hint();
  }

  const std::atomic<Sequence>& appended() const { return appended_; }
  const FrameBytes& frame_bytes() const { return *counter_; }
  const std::shared_ptr<FrameBytes>& counter() const { return counter_; }

 private:
  Sequence append(Channel& channel, FramePtr frame, Sequence sequence) {
    channel.log.append(std::move(frame), sequence, std::chrono::steady_clock::now());
    announce(channel, sequence);
    return sequence;
  }

  std::atomic<Sequence> appended_{1};
  std::shared_ptr<FrameBytes> counter_ = std::make_shared<FrameBytes>();
};

// What a client asks for; the defaults are a first visit to /channels/{channel}.
struct Visit {
  std::vector<ChannelPtr> channels;
  Encoding encoding;
  std::optional<std::string> last_event_id;
  std::size_t replay = 0;
  std::optional<std::chrono::system_clock::time_point> expires_at = {};
  std::string comments = {};
  std::vector<Beginning> beginnings = {};  // In place of `replay`.
};

inline StreamReader open_stream(Shard& shard, Visit visit) {
  StreamReader reader(visit.encoding.is_chunked);
  ClientStart start;
  start.channels = std::move(visit.channels);
  start.request.encoding = visit.encoding;
  start.request.last_event_id = std::move(visit.last_event_id);
  start.request.beginnings = std::move(visit.beginnings);
  if (visit.replay > 0) start.request.beginnings.assign(start.channels.size(), {.replay = visit.replay});
  start.request.expires_at = visit.expires_at;
  start.request.comments = std::move(visit.comments);
  start.request.head = "HTTP/1.1 200 OK\r\n\r\n";
  start.request.forbidden = [](std::string_view channel) {
    return "HTTP/1.1 403 Forbidden\r\nChannel: " + std::string(channel) + "\r\nContent-Length: 0\r\n\r\n";
  };
  start.socket = reader.take_socket();
  shard.add(std::move(start));
  return reader;
}

}  // namespace weir
