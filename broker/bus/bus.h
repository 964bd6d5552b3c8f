// The source and the sink of messages: Redis (redis_bus.h), or this process alone (memory_bus.h).
//
// Threads:   any for subscribe(), unsubscribe(), publish(), state() and collect(), which never block. The listener's
//            functions and all completions run on the bus thread, one at a time, so that every reader sees
//            one order of a channel's messages.
// Ownership: the listener outlives the bus.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/stream_id.h"

namespace weir {

class MetricsPage;
class Streams;

class BusListener {
 public:
  virtual ~BusListener() = default;
  // A message of `channel`, in the order of arrival. `payload` is only valid during the call.
  virtual void on_message(std::string_view channel, std::string_view payload) = 0;
  // A message of `channel` was larger than BusLimits::message_bytes_max and was discarded unread.
  virtual void on_too_large(std::string_view channel) = 0;
  // Every message of `channel` arrives from now on: the bus has acknowledged the subscription. Called again
  // after a loss, for every wanted channel.
  virtual void on_subscribed(std::string_view channel) = 0;
  // The same for a pattern given to record().
  virtual void on_recording(std::string_view pattern) = 0;
  // The bus refuses this subscription for good (Redis ACL: NOPERM). Other subscriptions continue.
  virtual void on_refused(std::string_view channel, std::string_view why) = 0;
  // Nothing arrives until the next on_subscribed() of each channel. Messages published meanwhile are lost.
  virtual void on_lost() = 0;
  // The bus has come up, or gone: the connection that brings messages has answered, or is lost. Called at
  // each change, even if nothing is subscribed: down before on_lost(), up before the next on_subscribed(). A
  // bus that is always there never calls it.
  virtual void on_state(bool is_up) = 0;
  // Everything read so far is delivered. Wake other threads now, once for many messages.
  virtual void on_idle() = 0;
};

// Nothing here has a default: broker/config.h holds them.
struct BusLimits {
  // A larger message is refused when it is published, and reported as on_too_large() when it arrives.
  std::size_t message_bytes_max;
  // Publishes without an outcome, and the bytes of their payloads. Past either limit
  // a publish is kUnavailable.
  std::size_t publishes_waiting_max;
  std::size_t publishes_waiting_bytes_max;
};

enum class PublishOutcome {
  kDelivered,    // The bus has it; `receivers` is known.
  kUnavailable,  // The bus is away or busy, or too many publishes wait. Nothing was delivered.
  kUnknown,      // Sent, but not confirmed in time, or the connection was lost first.
  kForbidden,    // The bus forbids publishing to this channel (Redis ACL: NOPERM). Nothing was delivered.
  kTooLarge,     // The message is larger than the bus takes. Nothing was delivered.
  kRefused,      // The bus refused for another reason (see `detail`). Nothing was delivered.
};
struct PublishResult {
  PublishOutcome outcome = PublishOutcome::kUnavailable;
  std::uint64_t receivers = 0;  // Subscribers of the bus (gateways), not clients. Not of a durable message.
  std::string detail;
  std::optional<StreamId> id = {};  // A durable message's.
  bool is_repeated = false;         // It was given earlier, for the same idempotency key.
};

enum class BusKind { kMemory, kRedis };
inline const char* bus_name(BusKind kind) { return kind == BusKind::kRedis ? "redis" : "memory"; }

struct BusState {
  BusKind kind = BusKind::kMemory;
  bool is_connected = true;        // Both connections have answered.
  bool is_receiving = true;        // The connection that brings messages has answered: the last on_state().
  bool was_ever_connected = true;  // For /readyz.
  std::string why_not = {};        // Why it is not connected, in one line; empty if unknown.
  std::uint64_t wanted = 0;        // Subscriptions asked for (channels and patterns).
  std::uint64_t acknowledged = 0;  // Confirmed on the present connection.
  // Channels that take memory: not handled yet, wanted, or given up but not answered yet.
  std::uint64_t subscriptions_held = 0;
  std::uint64_t reconnects = 0;  // Times the subscriber connection was lost.
  std::uint64_t publishes_waiting = 0;
};

class Bus {
 public:
  using PublishDone = std::function<void(PublishResult)>;

  virtual ~Bus() = default;

  // Starts the bus thread.
  virtual void start() = 0;
  // Ends the bus thread. Waiting publishes first complete with kUnavailable or kUnknown. No
  // call of the listener follows.
  virtual void stop() = 0;

  // Asks for every message of `channel`; on_subscribed() follows. Calls for one channel do not nest: one
  // unsubscribe() ends it, though messages under way still arrive. A channel that a record() pattern covers
  // is not subscribed twice.
  virtual void subscribe(std::string channel) = 0;
  virtual void unsubscribe(std::string channel) = 0;
  // Asks for all channels that match `pattern` (channel_name.h), for the life of the bus. Requires that the
  // bus has not started.
  virtual void record(std::string pattern) = 0;

  // Calls `done` once, on the bus thread; it must not block. Publishes that were sent complete in
  // the order of the calls; one that can't be sent completes at once. After stop() `done` is
  // called before publish() returns.
  virtual void publish(std::string channel, std::string payload, PublishDone done) = 0;

  // Channels with a history in Redis (streams.h). Null if this bus has none. It lives as long as the bus.
  virtual Streams* streams() { return nullptr; }

  virtual BusState state() const = 0;
  // Adds the metrics that this kind of bus alone has.
  virtual void collect(MetricsPage&) const {}
};

}  // namespace weir
