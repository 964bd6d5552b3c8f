// The channels of this gateway: which are open, for whom, and when the bus is asked for them.
// No sockets, no Redis, no HTTP.
//
// Threads:   the BusListener part runs on the bus thread; everything else may be called from any thread.
// Ownership: a channel lives while a client has it open, for the linger time after the last one, and for as
// long as a
//            --record pattern keeps it.
// Limits:    max_clients places, of them max_clients_per_address for one address; max_connects_per_second;
//            max_channels channels.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/bus/bus.h"
#include "broker/config.h"
#include "broker/fanout/slow_client.h"
#include "broker/ip_address.h"
#include "proto/sse.h"

namespace weir {

class MetricsPage;

// A client's place among max_clients: taken before the response, given back by the destructor.
class Place {
 public:
  Place() = default;
  explicit Place(std::function<void()> give_back) : give_back_(std::move(give_back)) {}
  Place(Place&& other) noexcept : give_back_(std::exchange(other.give_back_, nullptr)) {}
  Place& operator=(Place&& other) noexcept {
    std::swap(give_back_, other.give_back_);
    return *this;
  }
  ~Place() {
    if (give_back_) give_back_();
  }

 private:
  std::function<void()> give_back_;
};

// What a stream is to carry. Made by http/, from a request that was found good.
struct StreamRequest {
  std::vector<std::string> channels;  // At least one, each valid, none twice.
  Form form = Form::kChannel;
  std::optional<std::string> last_event_id;  // As the client sent it; may be anything.
  std::size_t replay = 0;                    // ?replay=n; only where there is no last_event_id.
  bool is_chunked = true;                    // False for HTTP/1.0: no chunk framing, ends by closing.
  // When whoever asked is no longer allowed to: the stream ends then, and is told of it before.
  std::optional<std::chrono::system_clock::time_point> expires_at;
  std::string head;          // The response head, not sent yet.
  std::string comments;      // Comment lines for the first block, each with its line feed.
  IpAddress client_address;  // "::" where it is not known.
  Place place;
};

struct ChannelInfo {
  std::string name;
  std::size_t subscribers = 0;
  std::string last_id;  // Empty if there was no message yet.
  std::size_t log_messages = 0;
  std::size_t log_bytes = 0;
  bool is_live = false;  // The bus has acknowledged its subscription.
};

class Hub : public BusListener {
 public:
  // `bus` is set later (the bus needs its listener first); it outlives every call but the destructor.
  Hub(const Config& config, std::uint64_t random);
  ~Hub() override;
  void set_bus(Bus& bus);
  void start();

  // A place for one more client, or why there is none: "clients", "clients-per-address" or
  // "connects-per-second" (that limit is reached), or "draining".
  struct Admission {
    std::optional<Place> place;
    const char* refusal = nullptr;
  };
  Admission admit(const IpAddress& client);

  // Takes over `socket` (a connected, non-blocking descriptor, nothing of the response sent yet): sends the
  // head when the bus has acknowledged all channels, or after 2 s, and streams from then on. Owns the
  // descriptor from the call on. False, and the descriptor is still the caller's, if max_channels would be
  // passed.
  bool open_stream(StreamRequest request, int socket);

  // From now on these are the [[channel]] rules: for channels that are opened later; an open one keeps what
  // it was opened with.
  void set_channel_rules(std::vector<ChannelRule> rules);

  // Whether `payload` is within max_message_bytes, also as the frame that it becomes.
  bool fits(std::string_view channel, std::string_view payload) const;

  // Hands `payload` to the bus.
  void publish(std::string channel, std::string payload, Bus::PublishDone done);

  // The streams that follow `channel` here.
  std::size_t subscribers(std::string_view channel) const;
  // What is known of `channel`; zeros if it isn't open here.
  ChannelInfo info(std::string_view channel) const;
  // The open channels, at most `max` of them, most subscribers first.
  std::vector<ChannelInfo> channels(std::size_t max) const;
  // The clients that wait for their socket, at most kSlowestMax of them, the slowest first; of a second ago.
  std::vector<SlowClient> slowest() const;
  std::size_t clients() const;

  // Stops admitting; closes the streams one by one over `duration`, each after what is logged for it was
  // flushed. Then, or as soon as there is none left, `done` is called (on some thread).
  void drain(std::chrono::milliseconds duration, std::function<void()> done);
  bool is_draining() const;
  BusState bus_state() const;

  // Housekeeping, about once a second: channels whose linger has passed, frames older than history_seconds or
  // past the memory limit.
  void tick(std::chrono::steady_clock::time_point now);
  // Ends the shards; every client still there is closed.
  void stop();

  void collect(MetricsPage& page) const;

  // BusListener
  void on_message(std::string_view channel, std::string_view payload) override;
  void on_too_large(std::string_view channel) override;
  void on_subscribed(std::string_view channel) override;
  void on_recording(std::string_view pattern) override;
  void on_refused(std::string_view channel, std::string_view why) override;
  void on_lost() override;
  void on_state(bool is_up) override;
  void on_idle() override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace weir
